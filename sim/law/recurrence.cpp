#include "sim/law/recurrence.h"

#include <fmt/format.h>

#include <utility>

#include "reference/base/check.h"

namespace reloadlab::sim {
namespace {

constexpr int64_t picoseconds = 1000;  // of a nanosecond

}  // namespace

Recurrence::Recurrence(const Case& the_case, Binding binding)
    : case_(the_case), binding_(binding), layers_(the_case.shared_layers()), now_(static_cast<size_t>(the_case.ranks)) {
  for (const SeriesSpec& series : the_case.series) {
    Group& group = groups_[series.group];
    group.members = static_cast<size_t>(series.size(the_case.ranks));
    group.issued.resize(now_.size());
  }
}

size_t Recurrence::target_of(const SeriesSpec& series, size_t position) const {
  const size_t count = series.layers.size(), ahead = static_cast<size_t>(series.prefetch);
  if (binding_ == Binding::rolling) return (position + ahead) % count;
  const size_t before = (position + count - 1) % count;
  size_t next = position;
  while (next % (ahead + 1) != before % (ahead + 1)) next = (next + 1) % count;
  return next;
}

void Recurrence::fetch(const SeriesSpec& series, size_t rank, size_t position) {
  Group& group = groups_.at(series.group);
  const size_t number = group.issued[rank]++;
  if (number >= group.broadcasts.size()) group.broadcasts.resize(number + 1);
  Broadcast& broadcast = group.broadcasts[number];
  broadcast.latest = std::max(broadcast.latest, now_[rank]);
  awaited_[{rank, series.layers[position]}] = number;
  if (++broadcast.come < group.members) return;
  group.free = broadcast.end = std::max(broadcast.latest, group.free) + case_.timing->broadcast * picoseconds;
}

void Recurrence::prime() {
  for (const SeriesSpec& series : case_.series)
    for (size_t rank = 0; rank < now_.size(); ++rank)
      for (size_t position = 0; position <= static_cast<size_t>(series.prefetch); ++position)
        if (has_rank(series, rank) && position != target_of(series, 0)) fetch(series, rank, position);
}

bool Recurrence::go_on(size_t rank, const Visit& visit) {
  const SeriesSpec& series = case_.series[visit.series];
  const auto place = static_cast<size_t>(std::ranges::find(layers_, visit.layer) - layers_.begin());
  if (visit.act == Visit::Act::reach) {
    fetch(series, rank, target_of(series, static_cast<size_t>(series.position_of(visit.layer))));
    now_[rank] += case_.timing->before_of(place) * picoseconds;
    return true;
  }
  if (const auto awaited = awaited_.find({rank, visit.layer}); awaited != awaited_.end()) {
    const Broadcast& broadcast = groups_.at(series.group).broadcasts[awaited->second];
    if (broadcast.end < 0) return false;
    now_[rank] = std::max(now_[rank], broadcast.end);
  }
  now_[rank] += case_.timing->after_of(place, static_cast<int64_t>(rank)) * picoseconds;
  return true;
}

void Recurrence::pass() {
  std::vector<std::vector<Visit>> programs;
  for (size_t rank = 0; rank < now_.size(); ++rank) programs.push_back(visits(case_, {}, static_cast<int64_t>(rank)));
  std::vector<size_t> at(programs.size());
  for (bool moved = true; std::exchange(moved, false);)
    for (size_t rank = 0; rank < programs.size(); ++rank)
      while (at[rank] < programs[rank].size() && go_on(rank, programs[rank][at[rank]])) ++at[rank], moved = true;
  for (size_t rank = 0; rank < programs.size(); ++rank) RELOADLAB_CHECK(at[rank] == programs[rank].size(), fmt::format("rank {}", rank));
}

void Recurrence::drain() {
  for (const SeriesSpec& series : case_.series)
    for (size_t rank = 0; rank < now_.size(); ++rank)
      if (has_rank(series, rank)) now_[rank] = std::max(now_[rank], groups_.at(series.group).free);
}

}  // namespace reloadlab::sim
