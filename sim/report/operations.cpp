#include "sim/report/operations.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {

Operations::Operations(const TracedExecution& execution) {
  for (const TracedRank& rank : execution.ranks) {
    Count count;
    for (const TracedEvent& event : rank.events)
      if (is_one(event)) note(rank.number, event, count.next(event));
    for (const auto& [group, number] : count.next_number) counts_[group][rank.number] = number;
  }
}

void Operations::note(int rank, const TracedEvent& event, const Key& key) {
  Operation& here = operations_[key];
  if (!event.layer.empty()) here.layer = event.layer;
  const Issued issued{rank, event.text, event.numel};
  if (!here.first) {
    here.first = issued;
    return;
  }
  if (here.first->text == issued.text && here.first->bytes == issued.bytes) return;
  const auto [found, fresh] = differences_.try_emplace(key.first, Difference{key.second, *here.first, issued});
  if (!fresh && key.second < found->second.number) found->second = {key.second, *here.first, issued};
}

// "broadcast root 1 of all" is of "all".
Operations::Key Operations::Count::next(const TracedEvent& event) {
  const size_t of = event.text.rfind(" of ");
  std::string group = of == std::string::npos ? std::string() : event.text.substr(of + 4);
  if (event.event == "captured") group += " in captures";
  return {group, next_number[group]++};
}

bool Operations::is_known_to_meet(const Key& key) const {
  const auto found = differences_.find(key.first);
  return found == differences_.end() || key.second < found->second.number;
}

std::string Operations::layer_of(const Key& key) const {
  const auto found = operations_.find(key);
  return found == operations_.end() || !is_known_to_meet(key) ? std::string() : found->second.layer;
}

std::vector<std::string> Operations::differences() const {
  std::vector<std::string> all;
  for (const auto& [group, difference] : differences_) {
    const auto issues = [](const Issued& each) { return fmt::format("rank {} issues {} of {} bytes", each.rank, each.text, each.bytes); };
    all.push_back(fmt::format("ranks differ from operation {} of {} on: {}, {}; what comes behind it is not known (?)", difference.number,
                              group, issues(difference.one), issues(difference.other)));
  }
  for (const auto& [group, counts] : counts_) {
    const auto [least, most] = std::ranges::minmax_element(counts, {}, &std::pair<const int, int64_t>::second);
    if (differences_.contains(group) || least->second == most->second) continue;
    all.push_back(fmt::format("rank {} issues {} operations of {}, rank {} {}: what the one would have sent behind them is not known (?)",
                              least->first, least->second, group, most->first, most->second));
  }
  return all;
}

}  // namespace reloadlab::sim
