#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/law/explain.h"
#include "sim/law/laws.h"
#include "sim/law/provenance.h"

namespace reloadlab::sim {
namespace {

// Layers whose tensors share storage complete together: each layer's representative is the first layer that it shares with.
std::vector<int> groups_of(const Evidence& evidence, const Census& census) {
  std::vector<int> group;
  for (size_t layer = 0; layer < evidence.layers.size(); ++layer) group.push_back(static_cast<int>(layer));
  std::map<int64_t, int> owner;
  for (const CensusEntry& entry : census.entries) {
    const int layer = layer_index(evidence, entry.layer);
    if (layer < 0 || entry.storage < 0) continue;
    const auto [found, fresh] = owner.try_emplace(entry.storage, layer);
    if (fresh) continue;
    const int one = group[static_cast<size_t>(layer)], two = group[static_cast<size_t>(found->second)];
    for (int& each : group)
      if (each == std::max(one, two)) each = std::min(one, two);
  }
  return group;
}

// Declared by candidates that load the whole model before they process any of it.
bool processes_at_finish(const Evidence& evidence) {
  const auto declared = evidence.declared.find("completion");
  return declared != evidence.declared.end() && declared->second == "finish";
}

class Completion {
 public:
  Completion(const Evidence& evidence, size_t rank, Tally& tally)
      : evidence_(evidence), warm_(*warm_of(evidence)), run_(warm_.ranks[rank]), plan_(evidence.plan[rank]), rank_(rank), tally_(tally) {}

  std::optional<Finding> update(StepRange update) {
    const Census* built = census_after(run_, -1);  // before an update could leave a placeholder
    if (!built) built = census_after(run_, update.first - 1);
    if (!built || !went_through(evidence_, rank_, update)) return std::nullopt;
    const std::vector<int> groups = groups_of(evidence_, *built);
    for (size_t layer = 0; layer < groups.size(); ++layer) {
      if (groups[layer] != static_cast<int>(layer)) continue;
      if (auto finding = group(update, groups, static_cast<int>(layer))) return finding;
    }
    return std::nullopt;
  }

 private:
  std::optional<Finding> group(StepRange update, const std::vector<int>& groups, int representative) {
    const auto in_group = [&](int layer) { return layer >= 0 && groups[static_cast<size_t>(layer)] == representative; };
    const PlannedLoad *completing = nullptr, *touching = nullptr, *first = nullptr;
    for (const PlannedLoad& load : plan_.loads) {
      if (!update.has(load.step) || load.wrong || load.placements.empty() || !in_group(layer_index(evidence_, load.layer))) continue;
      touching = &load;
      if (!first) first = &load;
      if (load.completes) completing = &load;
    }
    if (!touching) return std::nullopt;
    if (evidence_.the_case.expect.completed == Expect::Completed::at_finish || processes_at_finish(evidence_)) completing = nullptr;
    tally_.check();
    bool in_finish = false;
    std::optional<std::pair<const Event*, bool>> last;  // touch, and whether in finish
    const bool early = may_be_early(in_group);
    for (const Event& event : run_.events) {
      if (!update.has(event.step)) continue;
      if (event.kind == EventKind::finish_begin) in_finish = true;
      if (event.kind == EventKind::finish_end) in_finish = false;
      if ((event.kind != EventKind::write_kernel && event.kind != EventKind::post_load_begin) || !in_group(event.layer)) continue;
      if (in_failed_call(event)) continue;
      last = {&event, in_finish};
      if (!early || event.load < 0 || std::pair(event.step, event.load) < std::pair(first->step, first->index)) break;
    }
    if (last) return placed(update, *last->first, last->second, completing, *touching);
    if (!completing) return std::nullopt;
    return finding(update, completing->layer, fmt::format("complete with {}, and never processed", completing->delivery));
  }

  // Where loads are written as they come, a group without a post-load step is, in load calls from its first load on; that it was touched
  // last where it is due is demanded all the same. Of every other group it is the first touch that counts.
  template <class InGroup>
  bool may_be_early(const InGroup& in_group) const {
    if (!lands_as_it_comes(evidence_)) return false;
    for (size_t layer = 0; layer < evidence_.layers.size(); ++layer)
      if (in_group(static_cast<int>(layer)) && has_post_load(evidence_, rank_, evidence_.layers[layer])) return false;
    return true;
  }

  // What a load call did that failed is undone, or other laws find it.
  bool in_failed_call(const Event& event) const {
    const StepOutcome* outcome = outcome_of(run_, event.step);
    const auto load = static_cast<size_t>(event.load);
    return outcome && event.load >= 0 && load < outcome->load_statuses.size() && !outcome->load_statuses[load].ok();
  }

  // The touch of the group that counts: where it should have been?
  std::optional<Finding> placed(StepRange update, const Event& event, bool in_finish, const PlannedLoad* completing,
                                const PlannedLoad& touching) {
    const bool right = completing ? event.step == completing->step && event.load == completing->index : in_finish;
    if (right) return std::nullopt;
    const std::string& layer = evidence_.layers[static_cast<size_t>(event.layer)];
    const std::string due = completing ? fmt::format("its last missing element arrives with {}", completing->delivery)
                                       : fmt::format("it is due at finish, after {}", touching.delivery);
    const char* hint = completing && in_finish ? " (who means that declares completion=finish)" : "";
    return finding(update, layer, fmt::format("processed {}, {}{}", when(event, in_finish), due, hint));
  }

  std::string when(const Event& event, bool in_finish) const {
    const auto load = std::ranges::find_if(
        plan_.loads, [&](const PlannedLoad& planned) { return planned.step == event.step && planned.index == event.load; });
    if (event.load >= 0 && load != plan_.loads.end()) return fmt::format("with {}", load->delivery);
    return in_finish ? "at finish" : "outside of loads and finish";
  }

  Finding finding(StepRange update, const std::string& layer, std::string what) const {
    return {.execution = warm_.variation.label(),
            .rank = static_cast<int>(rank_),
            .step = update.last,
            .tensor = layer,
            .what = std::move(what),
            .why = explain(evidence_, warm_, rank_, update.last, layer)};
  }

  const Evidence& evidence_;
  const Execution& warm_;
  const RankRun& run_;
  const RankPlan& plan_;
  size_t rank_;
  Tally& tally_;
};

std::optional<Finding> judge_completion(const Evidence& evidence, Tally& tally) {
  const Execution& warm = *warm_of(evidence);
  if (evidence.the_case.expect.completed == Expect::Completed::unspecified) return std::nullopt;
  for (size_t rank = 0; rank < warm.ranks.size(); ++rank) {
    Completion completion(evidence, rank, tally);
    for (const StepRange& update : updates_of(warm))
      if (auto finding = completion.update(update)) return finding;
  }
  return std::nullopt;
}

bool any_went_through(const Evidence& evidence) {
  const std::vector<StepRange> updates = updates_of(*warm_of(evidence));
  for (size_t rank = 0; rank < evidence.plan.size(); ++rank)
    for (const StepRange& update : updates)
      if (went_through(evidence, rank, update)) return true;
  return false;
}

}  // namespace

Verdict judge_written_once(const Evidence& evidence) {
  Tally tally("written_once");
  if (!has_bytes(evidence)) return tally.unsupported("this world has no kernel tensors to write");
  if (!warm_of(evidence)) return tally.done("the scenario's own execution is missing");
  if (evidence.deliveries.empty()) return tally.unsupported("the model takes nothing from a checkpoint");
  if (auto finding = judge_completion(evidence, tally)) return tally.fail(*std::move(finding));
  if (auto finding = judge_provenance(evidence, tally)) return tally.fail(*std::move(finding));
  bool meant = false;
  for (size_t rank = 0; rank < evidence.plan.size(); ++rank) meant = meant || means_to_update(evidence, rank);
  if (!meant) return tally.unsupported("no update of the scenario is meant to go through");
  if (!any_went_through(evidence)) return tally.unsupported("no update of the scenario went through");
  return tally.done("no element was compared");
}

}  // namespace reloadlab::sim
