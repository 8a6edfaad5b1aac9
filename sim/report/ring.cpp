#include "sim/report/ring.h"

#include <algorithm>
#include <utility>

namespace reloadlab::sim {

std::string Ring::Tenancy::text(const std::function<std::string(const std::string&)>& name) const {
  std::string text = state == State::empty ? "empty" : layer.empty() ? "?" : name(layer);
  if (state == State::arriving) text += read ? " arriving, read" : " arriving";
  if (state != State::arriving && read) text += state == State::empty ? ", read" : " read";
  if (state == State::held && !read) text += " held";
  return read_as.empty() ? text : text + " as " + name(read_as);
}

Ring::Ring(const TracedExecution& execution, const TracedSeries& series, const Operations& operations,
           const std::vector<TracedEvent>& events)
    : execution_(execution), series_(series), operations_(operations) {
  find_windows(events);
  Operations::Count count;
  for (const TracedEvent& event : events) take(event, count);
}

bool Ring::owns_all() const {
  return std::ranges::all_of(series_.layers, [&](const std::string& layer) { return own_.contains(layer); });
}

std::vector<int64_t> Ring::slots() const {
  std::vector<int64_t> all;
  for (const auto& [storage, slot] : slots_) all.push_back(slot);
  std::ranges::sort(all);
  return all;
}

bool Ring::is_ours(const std::string& layer) const { return std::ranges::find(series_.layers, layer) != series_.layers.end(); }

bool Ring::is_in(std::string_view kind, int64_t step) const {
  return step >= 0 && static_cast<size_t>(step) < execution_.steps.size() && execution_.steps[static_cast<size_t>(step)] == kind;
}

// What a broadcast that some reach started fills, and where others' weights lie when loading is finished.
void Ring::find_windows(const std::vector<TracedEvent>& events) {
  bool reaching = false;
  for (const TracedEvent& event : events) {
    if (event.event == "reach_begin") reaching = is_ours(event.layer);
    if (event.event == "reach_end") reaching = false;
    if (event.event == "lies" && is_ours(event.layer) && is_in("load", event.step)) storages_.insert(event.value);
    if (!Operations::is_one(event)) continue;
    if (!event.layer.empty()) own_.insert(event.layer);
    if (reaching && event.layer.empty() && event.value >= 0) storages_.insert(event.value);
  }
}

int64_t Ring::slot_of(int64_t storage, const std::string& first) {
  const auto [found, fresh] = slots_.try_emplace(storage, 0);
  if (!fresh) return found->second;
  const auto taken = [&](int64_t number) {
    return std::ranges::any_of(slots_, [&](const auto& each) { return each.first != storage && each.second == number; });
  };
  const auto place = std::ranges::find(series_.layers, first);
  int64_t slot = place == series_.layers.end() ? 0 : (place - series_.layers.begin()) % (series_.prefetch + 1);
  while (taken(slot)) slot = slot < series_.prefetch ? slot + 1 : (taken(0) ? slot + 1 : 0);
  return found->second = slot;
}

void Ring::take(const TracedEvent& event, Operations::Count& count) {
  if (event.step != step_) lying_.clear(), filled_.clear();
  step_ = event.step;
  if (event.event == "reach_begin" && is_ours(event.layer)) open_row(event.step, event.layer), reaching_ = true;
  if (event.event == "reach_end") reaching_ = false;
  if (event.event == "read" && event.text == "weight" && is_ours(event.layer)) read(event);
  if (event.event == "lies" && is_ours(event.layer) && storages_.contains(event.value))
    lying_[slot_of(event.value, event.layer)].insert(event.layer);
  if (event.event == "step_end") end_step(event);
  if (Operations::is_one(event)) collective(event, count.next(event));
}

Ring::Row& Ring::open_row(int64_t step, const std::string& reached) {
  Row next{step, reached, {}, {}};
  if (!rows_.empty()) next.windows = rows_.back().windows;
  const bool behind_graph = !rows_.empty() && rows_.back().step != step && in_graph(rows_.back().step);
  for (auto& [slot, here] : next.windows) {
    if (here.read) arrive(here);
    here.read = false, here.read_as.clear();
    if (behind_graph) here = {Tenancy::State::unknown, {}, false, {}};
  }
  return rows_.emplace_back(std::move(next));
}

// Behind a difference between ranks it is the window that says whose series it is.
void Ring::collective(const TracedEvent& event, const Operations::Key& key) {
  if (is_in("replay", event.step)) return replay(event.step);
  const std::string layer = event.layer.empty() ? operations_.layer_of(key) : event.layer;
  if (!event.layer.empty()) {
    if (reaching_ && is_ours(layer)) rows_.back().beside.emplace_back("sends", layer);
    return;
  }
  if (!storages_.contains(event.value)) return;
  const int64_t slot = slot_of(event.value, layer);
  row_of(event.step).windows[slot] = {Tenancy::State::arriving, layer, false, {}};
  filled_.insert(slot);
}

// One row, whatever the graph does.
void Ring::replay(int64_t step) {
  if (!rows_.empty() && rows_.back().step == step) return;
  Row& row = open_row(step, "");
  for (const auto& [storage, slot] : slots_) row.windows[slot] = {Tenancy::State::unknown, {}, false, {}};
  row.beside.emplace_back("fills and reads as it was captured", "");
}

void Ring::read(const TracedEvent& event) {
  if (is_in("replay", event.step)) return replay(event.step);
  Row& row = row_of(event.step);
  if (!storages_.contains(event.storage)) {
    row.beside.emplace_back(own_.contains(event.layer) ? "reads own" : "reads elsewhere", event.layer);
    return;
  }
  Tenancy& here = row.windows[slot_of(event.storage, event.layer)];
  here.read = true;
  if (here.layer != event.layer) here.read_as = event.layer;
}

// Whoever drains, the series itself included, comes after what was in flight. A load, reload or reset may put layers into windows by
// copying them, too: then pointers tell.
void Ring::end_step(const TracedEvent& event) {
  const bool fills = is_in("load", event.step) || is_in("reload", event.step) || is_in("reset", event.step);
  const bool waits = fills || is_in("drain", event.step) || is_in("host_sync", event.step);
  if (!waits || !event.text.empty() || slots_.empty()) return;
  Row& row = row_of(event.step);
  for (auto& [slot, here] : row.windows)
    if (!filled_.contains(slot)) arrive(here);
  for (const auto& [storage, slot] : slots_)
    if (fills && !filled_.contains(slot)) settle(row.windows[slot], lying_[slot]);
}

void Ring::arrive(Tenancy& here) {
  if (here.state == Tenancy::State::arriving) here.state = here.layer.empty() ? Tenancy::State::unknown : Tenancy::State::held;
}

// A layer whose window was filled again since may point there still.
void Ring::settle(Tenancy& here, const std::set<std::string>& layers) {
  if (layers.contains(here.layer)) return;
  if (layers.empty()) here = {};
  if (layers.size() == 1) here = {Tenancy::State::held, *layers.begin(), false, {}};
  if (layers.size() > 1) here = {Tenancy::State::unknown, {}, false, {}};
}

}  // namespace reloadlab::sim
