#include "sim/law/graphs_at_rest.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/evidence/checksum.h"
#include "sim/law/compare.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

bool changes_weights(const Step& step) {
  switch (step.kind) {
    case StepKind::load:
    case StepKind::reload:
    case StepKind::prepare:
    case StepKind::loads:
    case StepKind::finish:
    case StepKind::abort:
    case StepKind::retry:
      return true;
    default:
      return false;
  }
}

int last_before(const Execution& execution, int step, bool (*is)(const Step&)) {
  for (; step >= 0 && !is(execution.steps[static_cast<size_t>(step)]); --step) {
  }
  return step;
}

class GraphsAtRest {
 public:
  GraphsAtRest(const Evidence& evidence, const Execution& execution, size_t rank, Tally& tally)
      : evidence_(evidence), execution_(execution), rank_(rank), states_(resting_states(evidence, rank)), tally_(tally) {}

  std::optional<Finding> judge() {
    for (const RankRun::GraphRead& read : execution_.ranks[rank_].graph_reads) {
      const RestingState* state = state_at(read.step);
      if (!state) continue;
      if (auto finding = read.output ? output(read, *state) : tensor(read, *state)) return finding;
    }
    return std::nullopt;
  }

 private:
  // What the last step that changes weights has left; null: nothing at rest.
  const RestingState* state_at(int step) const {
    const int changed = last_before(execution_, step, &changes_weights);
    const auto found = std::ranges::find_if(states_, [&](const RestingState& state) { return state.planned.step == changed; });
    return found == states_.end() ? nullptr : &*found;
  }

  // After a partial update it is what the model holds, which other laws judge.
  const CensusEntry* held(const RankRun::GraphRead& read, const RestingState& state) const {
    if (state.planned.partial) return state.census->find(read.path);
    const Census* cold = cold_census(evidence_, state.planned.checkpoint, rank_, 0);
    const Census* twin = cold_census(evidence_, state.planned.checkpoint, rank_, 1);
    const CensusEntry* entry = cold ? cold->find(read.path) : nullptr;
    const CensusEntry* other = twin && entry ? twin->find(read.path) : nullptr;
    const bool written = !other || !other->content || !entry->content || other->content->bytes == entry->content->bytes;
    return written ? entry : nullptr;
  }

  std::optional<Finding> tensor(const RankRun::GraphRead& read, const RestingState& state) {
    const CensusEntry* entry = held(read, state);
    if (!entry || !entry->content) return std::nullopt;
    tally_.check();
    if (checksum(entry->content->bytes, static_cast<size_t>(dtype_size(entry->dtype))) == read.checksum) return std::nullopt;
    const std::string whose = state.planned.partial ? "the model holds" : "a cold load of " + state.planned.checkpoint + " holds";
    return Finding{.step = read.step,
                   .tensor = read.path,
                   .what = fmt::format("the graph of {} tokens reads other bytes than {}", read.size, whose),
                   .why = moved(read)};
  }

  std::optional<Finding> output(const RankRun::GraphRead& read, const RestingState& state) {
    const Blob *want = cold_output(read, state, 0), *other = cold_output(read, state, 1);
    if (state.planned.partial || !want || (other && other->bytes != want->bytes)) return std::nullopt;
    tally_.check();
    if (read.output->bytes == want->bytes) return std::nullopt;
    return Finding{.step = read.step,
                   .tensor = read.path,
                   .what = fmt::format("the graph{} computes something else with {} than one of a model that was loaded cold with {}",
                                       read.size > 0 ? fmt::format(" of {} tokens", read.size) : "", read.path, state.planned.checkpoint)};
  }

  const Blob* cold_output(const RankRun::GraphRead& read, const RestingState& state, int poison) const {
    const Execution* cold = evidence_.find(Variation::Kind::cold, state.planned.checkpoint, poison);
    if (!cold || rank_ >= cold->ranks.size()) return nullptr;
    for (const RankRun::GraphRead& each : cold->ranks[rank_].graph_reads)
      if (each.size == read.size && each.path == read.path && each.output) return each.output.get();
    return nullptr;
  }

  // Where the tensor lies now, if that is not where it was captured.
  std::string moved(const RankRun::GraphRead& read) const {
    const RankRun& run = execution_.ranks[rank_];
    const int captured = last_before(execution_, read.step, [](const Step& step) { return step.kind == StepKind::capture; });
    const Census *then = census_after(run, captured), *now = census_after(run, read.step);
    const CensusEntry *was = then ? then->find(read.path) : nullptr, *is = now ? now->find(read.path) : nullptr;
    const auto place = was && is ? compare_place(*is, *was) : std::nullopt;
    return place ? "it has moved since the capture: " + *place : "";
  }

  const Evidence& evidence_;
  const Execution& execution_;
  size_t rank_;
  std::vector<RestingState> states_;
  Tally& tally_;
};

}  // namespace

Verdict judge_graphs_at_rest(const Evidence& evidence) {
  Tally tally("graph_replay");
  const Execution* warm = warm_of(evidence);
  for (size_t rank = 0; warm && rank < warm->ranks.size(); ++rank)
    if (auto finding = GraphsAtRest(evidence, *warm, rank, tally).judge()) {
      finding->execution = warm->variation.label();
      finding->rank = static_cast<int>(rank);
      return tally.fail(*std::move(finding));
    }
  return left_unusable(evidence) ? tally.unusable() : tally.done("no graph was replayed on a model at rest");
}

}  // namespace reloadlab::sim
