#include "sim/report/layer_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

// Whole parts between dots.
size_t common_head(const std::string& one, const std::string& other) {
  const size_t same = static_cast<size_t>(std::ranges::mismatch(one, other).in1 - one.begin());
  const size_t dot = same == 0 ? std::string::npos : one.rfind('.', same - 1);
  return dot == std::string::npos ? 0 : dot + 1;
}

size_t common_tail(const std::string& one, const std::string& other) {
  const std::string back(one.rbegin(), one.rend()), other_back(other.rbegin(), other.rend());
  return common_head(back, other_back);
}

}  // namespace

LayerNames::LayerNames(const std::vector<TracedSeries>& series) {
  for (const TracedSeries& each : series) names_.insert(names_.end(), each.layers.begin(), each.layers.end());
  if (names_.size() < 2) return;
  head_ = tail_ = std::string::npos;
  for (const std::string& name : names_) {
    if (name == names_.front()) continue;
    head_ = std::min(head_, common_head(names_.front(), name));
    tail_ = std::min(tail_, common_tail(names_.front(), name));
  }
  const size_t shortest = std::ranges::min(names_, {}, &std::string::size).size();
  if (head_ + tail_ >= shortest) head_ = tail_ = 0;
}

std::string LayerNames::operator()(const std::string& layer) const {
  if (std::ranges::find(names_, layer) == names_.end()) return layer;
  return layer.substr(head_, layer.size() - head_ - tail_);
}

std::string LayerNames::in(const std::string& about) const {
  const size_t word = about.rfind(' ') + 1;
  return about.substr(0, word) + (*this)(about.substr(word));
}

std::string LayerNames::legend() const {
  if (head_ + tail_ == 0) return {};
  const std::string& name = names_.front();
  return fmt::format("layers: N is {}N{}\n", name.substr(0, head_), name.substr(name.size() - tail_));
}

}  // namespace reloadlab::sim
