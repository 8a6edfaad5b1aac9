// Ranks of one class (evidence.h) hold the same shapes and are brought the same shares, so whatever is no content is the same on each:
// how steps end, what they need and leave, what is registered, and what was done to which layer how often. In which order layers were
// done is a matter of the arrival order: of experts, each rank waits for others. What a candidate says of itself is not looked at. An
// update that leaves experts out is not the same for all: from there on equals are no longer equal. In the middle of an update, of which a
// step brings a part, one rank may have got further than another. Where loads are written as they come (reading.h), what brings elements
// again is written once more if its layer is not complete by then: by so much the writes of equals may differ, and by no more.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "sim/evidence/values.h"
#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

// Two ranks as positions in the evidence: the first one played of the class, and another.
struct Pair {
  size_t first, other;
};

class Comparison {
 public:
  Comparison(const Evidence& evidence, const Execution& execution, Pair pair, Tally& tally)
      : evidence_(evidence), execution_(execution), pair_(pair), tally_(tally) {}

  std::optional<Finding> run() {
    for (size_t step = 0; step < execution_.steps.size() && !finding_; ++step) {
      const StepOutcome *here = outcome_of(other(), static_cast<int>(step)), *there = outcome_of(first(), static_cast<int>(step));
      if (!here && !there) continue;
      if (brought(pair_.other, static_cast<int>(step)) != brought(pair_.first, static_cast<int>(step))) break;
      const StepKind kind = execution_.steps[step].kind;
      if (kind == StepKind::prepare || kind == StepKind::loads) continue;
      differ(here && there, "the step ran on one of them only", static_cast<int>(step));
      if (!finding_) outcomes(*here, *there);
      if (!finding_) registered(static_cast<int>(step));
      if (!finding_ && kind != StepKind::finish && !breaks_off(static_cast<int>(step))) done_to_layers(static_cast<int>(step));
    }
    return std::move(finding_);
  }

 private:
  const RankRun& first() const { return execution_.ranks[pair_.first]; }
  const RankRun& other() const { return execution_.ranks[pair_.other]; }

  // Which load completes a layer is a matter of which loads are the rank's: a fault around post-load steps strikes each at another place.
  bool breaks_off(int step) const { return execution_.steps[static_cast<size_t>(step)].fault.has_value(); }

  void differ(bool same, std::string what, int step, std::string tensor = {}) {
    tally_.check();
    if (same || finding_) return;
    finding_ = Finding{.execution = execution_.variation.label(),
                       .rank = static_cast<int>(pair_.other),
                       .step = step,
                       .tensor = std::move(tensor),
                       .what = std::move(what)};
  }

  std::string apart(std::string_view name, int64_t here, int64_t there) const {
    return fmt::format("{} {}, on rank {}, which is its equal, {}", count_text(here), name, evidence_.number(pair_.first),
                       count_text(there));
  }

  void outcomes(const StepOutcome& here, const StepOutcome& there) {
    const auto same = [&](bool equal, std::string what) { differ(equal, std::move(what), here.step); };
    const std::string on = fmt::format(" on rank {}, which is its equal", evidence_.number(pair_.first));
    same(here.status.ok() == there.status.ok(), here.status.ok() ? "the step failed" + on : "the step went through" + on);
    same(here.unusable == there.unusable, "the model can be used on one of ranks that are equal");
    same(here.live_bytes == there.live_bytes, apart("bytes are alive", here.live_bytes, there.live_bytes));
    same(here.live_allocations == there.live_allocations, apart("allocations are alive", here.live_allocations, there.live_allocations));
    if (!breaks_off(here.step) && planned_peaks(pair_.other, here.step) == planned_peaks(pair_.first, here.step) &&
        filled(pair_.other, here.step) == filled(pair_.first, here.step))
      same(here.extra_bytes_peak == there.extra_bytes_peak,
           apart("extra bytes at the peak", here.extra_bytes_peak, there.extra_bytes_peak));
  }

  // What the step is to bring the rank, by layer: loads with something of its own, and elements; at an update's end those that did not
  // come.
  std::map<std::string, std::array<int64_t, 3>> brought(size_t position, int step) const {
    std::map<std::string, std::array<int64_t, 3>> all;
    for (const PlannedLoad& load : evidence_.plan[position].loads)
      if (load.step == step && !load.placements.empty()) all[load.layer][0] += 1, all[load.layer][1] += load.fresh;
    for (const RankPlan::Missing& missing : evidence_.plan[position].missing)
      if (missing.step == step) all[missing.layer][2] += missing.elements;
    return all;
  }

  // The places that loads fill, each as often as one does: what comes again to a rank need not be what comes again to its equal, and is
  // laid out in another way.
  std::vector<std::tuple<std::string, Shape, Shape>> filled(size_t position, int step) const {
    std::vector<std::tuple<std::string, Shape, Shape>> all;
    for (const PlannedLoad& load : evidence_.plan[position].loads)
      for (const model::Placement& placement : load.placements)
        if (load.step == step) all.emplace_back(load.layer + "." + load.slot, placement.target_start, placement.extent);
    std::ranges::sort(all);
    return all;
  }

  // Which of a layer's loads are a rank's may put its peak elsewhere. Where layers need not be materialized, or a tensor that is kept keeps
  // all of its chunk, the formula is a bound, which does not tell where a peak is: only ranks on which it is the same at every load call
  // need as much.
  std::vector<std::array<int64_t, 3>> planned_peaks(size_t position, int step) const {
    std::vector<std::array<int64_t, 3>> all;
    std::array<int64_t, 3> most{-1, 0, 0};
    for (const RankPlan::Peak& peak : evidence_.plan[position].peaks) {
      if (peak.step != step) continue;
      all.push_back({peak.load, peak.extra_bytes, peak.extra_bytes_failed});
      most = {-1, std::max(most[1], peak.extra_bytes), std::max(most[2], peak.extra_bytes_failed)};
    }
    const LoadPlan& arrival = execution_.steps[static_cast<size_t>(step)].plan;
    const bool chunks_stay = arrival.chunk > 1 && !arrival.reuses;
    return lands(evidence_) || chunks_stay ? all : std::vector{most};
  }

  void registered(int step) {
    const Census *here = census_after(other(), step), *there = census_after(first(), step);
    if (!here || !there) return;
    differ(here->flags == there->flags, fmt::format("flags are {}, on its equal {}", here->flags, there->flags), step);
    differ(here->entries.size() == there->entries.size(), "names are registered that its equal has not, or has beyond them", step);
    for (size_t i = 0; i < here->entries.size() && !finding_; ++i) {
      const CensusEntry &mine = here->entries[i], &its = there->entries[i];
      differ(mine.path == its.path, "is registered where its equal has " + its.path, step, mine.path);
      differ(mine.kind == its.kind && mine.persistent == its.persistent && mine.on_meta == its.on_meta && mine.dtype == its.dtype,
             "is of another kind, element type or device than on its equal", step, mine.path);
      differ(mine.shape == its.shape && mine.strides == its.strides && mine.offset == its.offset, "has another layout than on its equal",
             step, mine.path);
      differ(mine.loader == its.loader && mine.tensor_class == its.tensor_class, "has another class or loader than on its equal", step,
             mine.path);
    }
  }

  static bool is_seen(EventKind kind) {
    switch (kind) {
      case EventKind::write_kernel:
      case EventKind::write_source:
      case EventKind::post_load_begin:
      case EventKind::post_load_end:
      case EventKind::load_begin:
      case EventKind::load_end:
        return true;
      default:
        return false;
    }
  }

  struct Amount {
    int64_t events = 0, elements = 0;
    bool operator==(const Amount&) const = default;
  };
  using Amounts = std::map<std::pair<int, EventKind>, Amount>;  // by layer
  static Amounts amounts(const RankRun& run, int step) {
    Amounts all;
    for (const Event& event : run.events)
      if (event.step == step && is_seen(event.kind))
        ++all[{event.layer, event.kind}].events, all[{event.layer, event.kind}].elements += event.numel;
    return all;
  }

  // How far the writes of equals may be apart: by what brings a layer elements again, where that is written as it comes.
  Amount again(int step, std::pair<int, EventKind> what) const {
    Amount most;
    if (what.second != EventKind::write_kernel || !lands_as_it_comes(evidence_)) return most;
    for (const size_t position : {pair_.first, pair_.other}) {
      Amount here;
      for (const PlannedLoad& load : evidence_.plan[position].loads) {
        int64_t elements = -load.fresh;
        for (const model::Placement& placement : load.placements) elements += numel(placement.extent);
        if (load.step != step || load.layer != layer_name(what.first) || elements == 0) continue;
        here.events += std::ssize(load.placements), here.elements += elements;
      }
      most = {std::max(most.events, here.events), std::max(most.elements, here.elements)};
    }
    return most;
  }

  // Where a transport hands tensors over that lie side by side, copies of some may be one copy; of which depends on a rank's shares.
  bool may_join() const {
    return std::ranges::any_of(execution_.steps, [](const Step& step) { return step.plan.chunk > 1; });
  }

  void done_to_layers(int step) {
    const Amounts here = amounts(other(), step), there = amounts(first(), step);
    for (const auto& [what, amount] : there) {
      const auto found = here.find(what);
      const Amount mine = found == here.end() ? Amount() : found->second;
      Amount apart = again(step, what);
      if (what.second == EventKind::write_kernel && may_join()) apart.events = std::max(mine.events, amount.events);
      differ(std::abs(mine.events - amount.events) <= apart.events && std::abs(mine.elements - amount.elements) <= apart.elements,
             fmt::format("{} {} with {} elements, on rank {}, which is its equal, {} with {}", count_text(mine.events),
                         event_name(what.second), count_text(mine.elements), evidence_.number(pair_.first), count_text(amount.events),
                         count_text(amount.elements)),
             step, layer_name(what.first));
    }
    differ(here.size() == there.size(), "layers were done that its equal left alone", step);
  }

  std::string layer_name(int layer) const {
    return layer >= 0 && static_cast<size_t>(layer) < evidence_.layers.size() ? evidence_.layers[static_cast<size_t>(layer)] : "";
  }

  const Evidence& evidence_;
  const Execution& execution_;
  Pair pair_;
  Tally& tally_;
  std::optional<Finding> finding_;
};

std::vector<Pair> pairs_of(const Evidence& evidence) {
  std::vector<Pair> pairs;
  std::map<int, size_t> position;
  for (size_t i = 0; i < evidence.plan.size(); ++i) position[evidence.number(i)] = i;
  for (const RankClass& each : evidence.classes)
    for (size_t i = 1; i < each.played.size(); ++i)
      if (position.contains(each.played[0]) && position.contains(each.played[i]))
        pairs.push_back({position[each.played[0]], position[each.played[i]]});
  return pairs;
}

}  // namespace

Verdict judge_ranks_alike(const Evidence& evidence) {
  Tally tally("ranks_alike");
  const std::vector<Pair> pairs = pairs_of(evidence);
  if (pairs.empty()) return tally.unsupported("no two ranks are equal");
  const Execution* warm = warm_of(evidence);
  if (!warm) return tally.done("the scenario's own execution is missing");
  for (const Pair& pair : pairs)
    if (auto finding = Comparison(evidence, *warm, pair, tally).run()) return tally.fail(*std::move(finding));
  return tally.done("no step was run");
}

}  // namespace reloadlab::sim
