#include "sim/report/layer_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/report/text.h"

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

// "lay~o_proj"
std::string both_ends(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  const size_t back = (most - 1) / 2;
  return text.substr(0, most - 1 - back) + "~" + text.substr(text.size() - back);
}

}  // namespace

LayerNames::LayerNames(const std::vector<TracedSeries>& series) {
  for (const TracedSeries& each : series) {
    One one{series.size() > 1 ? each.name : std::string(), std::string::npos, std::string::npos, each.layers};
    for (const std::string& name : one.layers) {
      if (name == one.layers.front()) continue;
      one.head = std::min(one.head, common_head(one.layers.front(), name));
      one.tail = std::min(one.tail, common_tail(one.layers.front(), name));
    }
    const bool apart = one.head != std::string::npos && one.head + one.tail < std::ranges::min(one.layers, {}, &std::string::size).size();
    if (!apart) one.head = one.tail = 0;
    series_.push_back(std::move(one));
  }
}

const LayerNames::One* LayerNames::series_of(const std::string& layer) const {
  const auto found =
      std::ranges::find_if(series_, [&](const One& one) { return std::ranges::find(one.layers, layer) != one.layers.end(); });
  return found == series_.end() ? nullptr : &*found;
}

std::string LayerNames::operator()(const std::string& layer) const {
  const One* one = series_of(layer);
  if (!one) return layer;
  return one->series.empty() ? one->tells(layer) : fmt::format("{}.{}", one->series, one->tells(layer));
}

std::string LayerNames::within(const std::string& layer, size_t most) const {
  const std::string whole = (*this)(layer);
  const One* one = series_of(layer);
  if (whole.size() <= most || !one || one->series.empty()) return both_ends(whole, most);
  const std::string own = one->tells(layer);
  return own.size() + 3 > most ? both_ends(own, most) : fmt::format("{}.{}", shortened(one->series, most - own.size() - 1), own);
}

std::string LayerNames::layer_in(const std::string& about) const {
  const std::string word = about.substr(about.rfind(' ') + 1);
  return series_of(word) ? word : std::string();
}

std::string LayerNames::in(const std::string& about) const {
  const size_t word = about.rfind(' ') + 1;
  return about.substr(0, word) + (*this)(about.substr(word));
}

std::string LayerNames::legend() const {
  std::vector<std::string> parts;
  for (const One& one : series_) {
    if (one.head + one.tail == 0 && one.series.empty()) continue;
    const std::string name = one.layers.empty() ? std::string() : one.layers.front();
    const std::string before = one.series.empty() ? "" : one.series + ".";
    parts.push_back(fmt::format("{}N is {}N{}", before, name.substr(0, one.head), name.substr(name.size() - one.tail)));
  }
  return parts.empty() ? std::string() : fmt::format("layers: {}", fmt::join(parts, ", "));
}

}  // namespace reloadlab::sim
