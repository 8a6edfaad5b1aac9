#include "sim/scenario/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/scenario/ranges.h"
#include "sim/scenario/schema.h"

namespace reloadlab::sim {

const DeliveryNames::Index& DeliveryNames::by_name() const {
  if (!by_name_.empty()) return by_name_;
  for (size_t i = 0; i < deliveries_.size(); ++i) by_name_[deliveries_[i].name].push_back(i);
  for (size_t i = 0; i < deliveries_.size(); ++i) {
    const model::Delivery& delivery = deliveries_[i];
    const std::string slot = delivery.layer + "." + delivery.slot;
    if (!is_own_name(slot)) by_name_[slot].push_back(i);
    if (delivery.shard) by_name_[slot + "#" + *delivery.shard].push_back(i);
  }
  return by_name_;
}

// A delivery's own name, which was added first, always wins over a slot of the same spelling.
bool DeliveryNames::is_own_name(const std::string& spelling) const {
  const auto found = by_name_.find(spelling);
  return found != by_name_.end() && deliveries_[found->second.front()].name == spelling;
}

std::vector<std::string> DeliveryNames::spellings() const {
  std::vector<std::string> all;
  for (const auto& [spelling, indices] : by_name()) all.push_back(spelling);
  return all;
}

std::vector<size_t> DeliveryNames::matches(const std::string& name) const {
  if (!is_glob(name)) {
    auto found = by_name().find(name);
    return found == by_name().end() ? std::vector<size_t>() : found->second;
  }
  std::set<size_t> all;
  for (const auto& [spelling, indices] : by_name())
    if (glob_match(name, spelling)) all.insert(indices.begin(), indices.end());
  return {all.begin(), all.end()};
}

std::vector<std::string> DeliveryNames::resolve(const std::string& pattern, Position at, Diagnostics& diagnostics) const {
  const auto expanded = expand_ranges(pattern, static_cast<size_t>(limits::names_in_list));
  if (!expanded) {
    diagnostics.error(at, fmt::format("\"{}\": a range that is not {{first..last}} or makes too many names", pattern));
    return {};
  }
  std::vector<std::string> names;
  for (const Expanded& one : *expanded) {
    const std::vector<size_t> found = matches(one.name);
    for (size_t index : found) names.push_back(deliveries_[index].name);
    if (found.empty())
      diagnostics.error(at, fmt::format("\"{}\" matches no tensor that the model takes", one.name),
                        diagnostics.suggest(one.name, spellings()));
  }
  return names;
}

}  // namespace reloadlab::sim
