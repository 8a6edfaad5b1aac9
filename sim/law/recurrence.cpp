#include "sim/law/recurrence.h"

#include <fmt/format.h>

#include <utility>

#include "reference/base/check.h"

namespace reloadlab::sim {
namespace {

constexpr int64_t picoseconds = 1000;  // of a nanosecond

}  // namespace

Recurrence::Recurrence(const Case& the_case, Binding binding)
    : case_(&the_case),
      binding_(binding),
      layers_(the_case.shared_layers()),
      now_(static_cast<size_t>(the_case.ranks)),
      models_(static_cast<size_t>(the_case.models)) {
  for (Model& model : models_)
    for (const SeriesSpec& series : the_case.series) {
      Group& group = model.groups[series.group];
      group.members = static_cast<size_t>(series.size(the_case.ranks));
      group.issued.resize(now_.size());
    }
}

std::vector<size_t> Recurrence::members_of(const SeriesSpec& series) const {
  std::vector<size_t> members;
  for (size_t rank = 0; rank < now_.size(); ++rank)
    if (series.has_rank(static_cast<int64_t>(rank))) members.push_back(rank);
  return members;
}

size_t Recurrence::target_of(const SeriesSpec& series, size_t position) const {
  const size_t count = series.layers.size(), ahead = static_cast<size_t>(series.prefetch);
  if (binding_ == Binding::rolling) return (position + ahead) % count;
  const size_t before = (position + count - 1) % count;
  size_t next = position;
  while (next % (ahead + 1) != before % (ahead + 1)) next = (next + 1) % count;
  return next;
}

void Recurrence::fetch(Model& model, const SeriesSpec& series, size_t rank, size_t position) {
  Group& group = model.groups.at(series.group);
  const size_t number = group.issued[rank]++;
  if (number >= group.broadcasts.size()) group.broadcasts.resize(number + 1);
  Broadcast& broadcast = group.broadcasts[number];
  broadcast.latest = std::max(broadcast.latest, now_[rank]);
  model.awaited[{rank, series.layers[position]}] = model.last[{rank, &series}] = number;
  if (++broadcast.come < group.members) return;
  group.free = broadcast.end = std::max(broadcast.latest, group.free) + case_->timing->broadcast * picoseconds;
}

void Recurrence::load(const SeriesSpec& series) {
  int64_t latest = 0;
  for (const size_t rank : members_of(series)) latest = std::max(latest, now_[rank]);
  const int64_t all = static_cast<int64_t>(series.layers.size()) * case_->timing->broadcast * picoseconds;
  for (const size_t rank : members_of(series)) now_[rank] = latest + all;
}

void Recurrence::drain(const Model& model, const SeriesSpec& series) {
  for (const size_t rank : members_of(series)) {
    const auto last = model.last.find({rank, &series});
    if (last != model.last.end()) begin(rank, model.groups.at(series.group).broadcasts[last->second].end);
  }
}

void Recurrence::fill(Model& model, const SeriesSpec& series) {
  for (const size_t rank : members_of(series))
    for (size_t position = 0; position <= static_cast<size_t>(series.prefetch); ++position)
      if (position != target_of(series, 0)) fetch(model, series, rank, position);
}

bool Recurrence::go_on(Model& model, size_t rank, const Visit& visit) {
  const SeriesSpec& series = case_->series[visit.series];
  const auto place = static_cast<size_t>(std::ranges::find(layers_, visit.layer) - layers_.begin());
  if (visit.act == Visit::Act::reach) {
    fetch(model, series, rank, target_of(series, static_cast<size_t>(series.position_of(visit.layer))));
    now_[rank] += case_->timing->before_of(place) * picoseconds;
    return true;
  }
  if (const auto awaited = model.awaited.find({rank, visit.layer}); awaited != model.awaited.end()) {
    const Broadcast& broadcast = model.groups.at(series.group).broadcasts[awaited->second];
    if (broadcast.end < 0) return false;
    begin(rank, broadcast.end);
  }
  now_[rank] += case_->timing->after_of(place, static_cast<int64_t>(rank)) * picoseconds;
  return true;
}

void Recurrence::load() {
  for (const SeriesSpec& series : case_->series) load(series);
}

void Recurrence::pass(size_t model) {
  std::vector<std::vector<Visit>> programs;
  for (size_t rank = 0; rank < now_.size(); ++rank) programs.push_back(visits(*case_, {}, static_cast<int64_t>(rank)));
  std::vector<size_t> at(programs.size());
  for (bool moved = true; std::exchange(moved, false);)
    for (size_t rank = 0; rank < programs.size(); ++rank)
      while (at[rank] < programs[rank].size() && go_on(models_[model], rank, programs[rank][at[rank]])) ++at[rank], moved = true;
  for (size_t rank = 0; rank < programs.size(); ++rank) RELOADLAB_CHECK(at[rank] == programs[rank].size(), fmt::format("rank {}", rank));
}

void Recurrence::drain(size_t model) {
  for (const SeriesSpec& series : case_->series) drain(models_[model], series);
}

void Recurrence::fill(size_t model) {
  for (const SeriesSpec& series : case_->series) fill(models_[model], series);
}

void Recurrence::sync() {
  for (size_t model = 0; model < models_.size(); ++model) drain(model);
}

void Recurrence::reset(size_t model) {
  for (const SeriesSpec& series : case_->series) {
    drain(models_[model], series);
    fill(models_[model], series);
  }
}

void Recurrence::reload(size_t model, bool in_place) {
  drain(model);
  for (const SeriesSpec& series : case_->series) {
    if (!in_place) load(series);
    fill(models_[model], series);
  }
}

}  // namespace reloadlab::sim
