#include <fmt/format.h>

#include <algorithm>

#include "sim/law/compare.h"
#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

// Content that both sides have; sizes are compared since evidence may come from a file.
std::optional<Difference> stale(const CensusEntry& entry, const Recomputed& again) {
  if (entry.kind == CensusEntry::Kind::extra_host) {
    CensusEntry expected = entry;
    expected.host = again.host;
    return compare(&entry, {.entry = &expected});
  }
  if (!entry.content || !again.content) return std::nullopt;
  if (entry.content->bytes.size() != again.content->bytes.size()) return Difference{"has another size than its recomputation", {}};
  return compare_bytes(entry, entry.content->bytes, {.entry = &entry, .bytes = &again.content->bytes});
}

std::string list_of(const std::vector<std::string>& sources) {
  std::string text;
  for (const std::string& source : sources) text += (text.empty() ? "" : ", ") + source;
  return text;
}

class DerivedFresh {
 public:
  DerivedFresh(const Evidence& evidence, size_t rank, Tally& tally)
      : evidence_(evidence), run_(warm_of(evidence)->ranks[rank]), rank_(rank), tally_(tally) {}

  std::optional<Finding> values(const RestingState& state) {
    for (const Recomputed& again : state.census->derived) {
      const CensusEntry* entry = state.census->find(again.path);
      if (!entry) return finding(state.planned.step, again.path, "is gone", {});
      tally_.check();
      if (auto difference = stale(*entry, again))
        return finding(state.planned.step, again.path, fmt::format("{}, as {} would give it now", difference->what, list_of(again.sources)),
                       difference->first);
    }
    return std::nullopt;
  }

  // Derived after the load that brought the last new element of what it comes from.
  std::optional<Finding> order(StepRange update) {
    const Census* census = census_after(run_, update.last);
    if (!census || !went_through(evidence_, rank_, update)) return std::nullopt;
    for (const Recomputed& again : census->derived) {
      const CensusEntry* entry = census->find(again.path);
      const PlannedLoad* last = nullptr;
      const int64_t loaded = last_load(update, again.sources, last);
      if (!entry || !last) continue;
      tally_.check();
      if (last_step(update, layer_index(evidence_, entry->layer)) < loaded)
        return finding(update.last, again.path, fmt::format("was not derived again after {} had come", last->delivery), {});
    }
    return std::nullopt;
  }

 private:
  // The position of the event, and the load that it begins; -1 when there is none.
  int64_t last_load(StepRange update, const std::vector<std::string>& sources, const PlannedLoad*& load) const {
    int64_t position = -1;
    for (size_t i = 0; i < run_.events.size(); ++i) {
      const Event& event = run_.events[i];
      if (event.kind != EventKind::load_begin || !update.has(event.step)) continue;
      for (const PlannedLoad& planned : evidence_.plan[rank_].loads) {
        const bool brings = planned.step == event.step && planned.index == event.load && planned.fresh > 0 && !planned.wrong;
        if (!brings || std::ranges::find(sources, planned.layer + "." + planned.slot) == sources.end()) continue;
        position = static_cast<int64_t>(i);
        load = &planned;
      }
    }
    return position;
  }

  int64_t last_step(StepRange update, int layer) const {
    int64_t position = -1;
    for (size_t i = 0; i < run_.events.size(); ++i) {
      const Event& event = run_.events[i];
      if (event.kind == EventKind::post_load_begin && event.layer == layer && update.has(event.step)) position = static_cast<int64_t>(i);
    }
    return position;
  }

  Finding finding(int step, const std::string& tensor, std::string what, std::string first) const {
    return {.execution = "warm",
            .rank = static_cast<int>(rank_),
            .step = step,
            .tensor = tensor,
            .what = std::move(what),
            .first = std::move(first)};
  }

  const Evidence& evidence_;
  const RankRun& run_;
  size_t rank_;
  Tally& tally_;
};

bool derives(const Evidence& evidence) {
  for (const RankRun& run : warm_of(evidence)->ranks)
    for (const Census& census : run.censuses)
      if (!census.derived.empty()) return true;
  return false;
}

}  // namespace

Verdict judge_derived_fresh(const Evidence& evidence) {
  Tally tally("derived_fresh");
  if (!warm_of(evidence)) return tally.done("the scenario's own execution is missing");
  if (!derives(evidence)) return tally.unsupported("nothing in the model is derived from what is still there");
  for (size_t rank = 0; rank < evidence.plan.size(); ++rank) {
    DerivedFresh judge(evidence, rank, tally);
    for (const RestingState& state : resting_states(evidence, rank))
      if (auto finding = judge.values(state)) return tally.fail(*std::move(finding));
    for (const StepRange& update : updates_of(*warm_of(evidence)))
      if (auto finding = judge.order(update)) return tally.fail(*std::move(finding));
  }
  return left_unusable(evidence) ? tally.unusable() : tally.done("no update leaves the model at rest");
}

}  // namespace reloadlab::sim
