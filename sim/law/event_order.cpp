#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

// What has happened to one layer so far in an update. Positions count events; -1: not yet.
struct Progress {
  int64_t first_load = -1;
  int post_loads = 0;
  bool post_load_ended = false;
  std::array<int64_t, 3> hints{-1, -1, -1};  // completed, processed, copied_back
};

std::optional<size_t> hint_of(EventKind kind) {
  if (kind == EventKind::completed) return 0;
  if (kind == EventKind::processed) return 1;
  if (kind == EventKind::copied_back) return 2;
  return std::nullopt;
}

class EventOrder {
 public:
  EventOrder(const Evidence& evidence, size_t rank, Tally& tally)
      : evidence_(evidence), run_(warm_of(evidence)->ranks[rank]), rank_(rank), tally_(tally) {
    for (const PlannedLoad& load : evidence.plan[rank].loads)
      if (!load.placements.empty()) delivered_.emplace(load.step, load.layer);
    const auto cold = std::ranges::find(evidence.executions, Variation::Kind::cold, [](const Execution& e) { return e.variation.kind; });
    if (cold == evidence.executions.end()) return;
    for (const Event& event : cold->ranks[rank].events)
      if (event.kind == EventKind::post_load_begin) ++cold_post_loads_[event.layer];
  }

  std::optional<Finding> update(StepRange update) {
    layers_.clear();
    derived_.clear();
    phase_ = Phase::before;
    tally_.check();
    for (size_t i = 0; i < run_.events.size(); ++i) {
      const Event& event = run_.events[i];
      if (!update.has(event.step)) continue;
      const std::string what = take(event, static_cast<int64_t>(i));
      if (!what.empty()) return finding(update, event.layer, what);
    }
    if (phase_ != Phase::after) return finding(update, -1, "the update ended well without prepare and finish in this order");
    return std::nullopt;
  }

 private:
  enum class Phase { before, preparing, open, finishing, after };

  std::string take(const Event& event, int64_t position) {
    switch (event.kind) {
      case EventKind::prepare_begin:
      case EventKind::prepare_end:
        return was_refused(event.step) ? std::string() : prepare(event.kind);
      case EventKind::finish_begin:
        return enter(Phase::open, Phase::finishing, "finish began while the update was not open");
      case EventKind::finish_end:
        return enter(Phase::finishing, Phase::after, "finish ended without having begun");
      case EventKind::load_begin:
        if (Progress& layer = layers_[event.layer]; layer.first_load < 0) layer.first_load = position;
        return {};
      case EventKind::post_load_begin:
        return post_load(event, position);
      case EventKind::post_load_end:
        layers_[event.layer].post_load_ended = true;
        return {};
      case EventKind::write_kernel:
        return write(event);
      default:
        return hint(event, position);
    }
  }

  // A second begin that was refused changes nothing.
  bool was_refused(int step) const {
    const StepOutcome* outcome = outcome_of(run_, step);
    return outcome && !outcome->status.ok();
  }

  std::string prepare(EventKind kind) {
    if (kind == EventKind::prepare_begin) return enter(Phase::before, Phase::preparing, "prepare began twice");
    return enter(Phase::preparing, Phase::open, "prepare ended without having begun");
  }

  std::string enter(Phase from, Phase to, std::string_view otherwise) {
    if (phase_ != from) return std::string(otherwise);
    phase_ = to;
    return {};
  }

  bool busy() const { return phase_ == Phase::open || phase_ == Phase::finishing; }

  std::string post_load(const Event& event, int64_t) {
    Progress& layer = layers_[event.layer];
    tally_.check();
    if (!busy()) return "its post-load step ran outside of the update";
    const auto usual = cold_post_loads_.find(event.layer);
    if (usual != cold_post_loads_.end() && ++layer.post_loads > usual->second)
      return fmt::format("its post-load step ran {} times in one update, {} in a cold load", layer.post_loads, usual->second);
    if (delivered_to(event) && layer.first_load < 0) return "its post-load step ran before its first load";
    if (derives(event.layer)) derived_.push_back(event.layer);
    return {};
  }

  std::string write(const Event& event) {
    tally_.check();
    if (!busy()) return "a kernel tensor was written outside of loads and finish: " + event.text;
    if (is_quantized(event.layer) && !layers_[event.layer].post_load_ended)
      return "a kernel tensor was written before its post-load step had ended: " + event.text;
    for (int derived : derived_)
      if (event.layer != derived && !derives(event.layer) && siblings(event.layer, derived))
        return fmt::format("a kernel tensor was written ({}) after {} had derived its own from it", event.text, path(derived));
    return {};
  }

  std::string hint(const Event& event, int64_t position) {
    const auto which = hint_of(event.kind);
    if (!which || event.layer < 0) return {};
    std::array<int64_t, 3>& seen = layers_[event.layer].hints;
    tally_.check();
    for (size_t later = *which + 1; later < seen.size(); ++later)
      if (seen[later] >= 0)
        return fmt::format("it says that it was {} after it was {}", event_name(event.kind), later == 1 ? "processed" : "copied_back");
    if (seen[*which] < 0) seen[*which] = position;
    return {};
  }

  bool delivered_to(const Event& event) const { return event.layer >= 0 && delivered_.contains({event.step, path(event.layer)}); }

  bool is_quantized(int layer) const {
    const model::LayerSpec* spec = layer < 0 ? nullptr : layer_spec(evidence_, path(layer));
    return spec && spec->quant != "none";
  }
  bool derives(int layer) const { return layer >= 0 && !is_quantized(layer) && cold_post_loads_.contains(layer); }

  bool siblings(int one, int two) const {
    const auto parent = [&](int layer) {
      return path(layer).substr(0, path(layer).rfind('.') == std::string::npos ? 0 : path(layer).rfind('.'));
    };
    return one >= 0 && two >= 0 && parent(one) == parent(two);
  }

  const std::string& path(int layer) const { return evidence_.layers[static_cast<size_t>(layer)]; }

  Finding finding(StepRange update, int layer, std::string what) const {
    return {.execution = "warm",
            .rank = static_cast<int>(rank_),
            .step = update.last,
            .tensor = layer < 0 ? std::string() : path(layer),
            .what = std::move(what)};
  }

  const Evidence& evidence_;
  const RankRun& run_;
  size_t rank_;
  Tally& tally_;
  std::set<std::pair<int, std::string_view>> delivered_;  // steps, and the layers that they are to bring something
  std::map<int, int> cold_post_loads_;
  std::map<int, Progress> layers_;
  std::vector<int> derived_;  // layers whose own post-load step has run
  Phase phase_ = Phase::before;
};

}  // namespace

Verdict judge_event_order(const Evidence& evidence) {
  Tally tally("event_order");
  const Execution* warm = warm_of(evidence);
  if (!warm) return tally.done("the scenario's own execution is missing");
  const std::vector<StepRange> updates = updates_of(*warm);
  if (updates.empty()) return tally.unsupported("the scenario updates nothing");
  bool any = false, meant = false;
  for (size_t rank = 0; rank < warm->ranks.size(); ++rank) {
    EventOrder judge(evidence, rank, tally);
    meant = meant || means_to_update(evidence, rank);
    for (const StepRange& update : updates) {
      if (!went_through(evidence, rank, update)) continue;
      any = true;
      if (auto finding = judge.update(update)) return tally.fail(*std::move(finding));
    }
  }
  if (!meant) return tally.unsupported("no update of the scenario is meant to go through");
  if (!any) return tally.unsupported("no update of the scenario went through");
  return tally.done("no events");
}

}  // namespace reloadlab::sim
