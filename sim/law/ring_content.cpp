#include <fmt/format.h>

#include <algorithm>

#include "sim/law/compare.h"
#include "sim/law/graphs_at_rest.h"
#include "sim/law/laws.h"
#include "sim/law/ring.h"
#include "sim/scenario/visits.h"

namespace reloadlab::sim {
namespace {

// Whose bytes they are, where they are some layer's: "blocks.1.o_proj.weight of B".
std::string identity(const Evidence& evidence, size_t rank, const RankRun::Read& read) {
  for (const auto& [name, spec] : evidence.the_case.checkpoints)
    if (const Census* cold = cold_census(evidence, name, rank))
      for (const CensusEntry& entry : cold->entries)
        if (entry.content && read.content && entry.content->fingerprint == read.content->fingerprint)
          return fmt::format("{} of {}", entry.path, name);
  return {};
}

std::string meant(const Evidence& evidence, const Execution& execution, size_t rank, const RankRun::Read& read) {
  return committed(evidence, execution, *place_of(evidence, read.layer).series, rank, read.step);
}

// What is to be read; null: there are no bytes.
const CensusEntry* wanted(const Evidence& evidence, const Execution& execution, size_t rank, const RankRun::Read& read) {
  const Census* cold = cold_census(evidence, meant(evidence, execution, rank, read), rank);
  const std::string path = evidence.layers[static_cast<size_t>(read.layer)] + "." + read.slot;
  return cold && read.content ? cold->find(path) : nullptr;
}

std::optional<Finding> judge_read(const Evidence& evidence, const Execution& execution, size_t rank, const RankRun::Read& read,
                                  Tally& tally) {
  const CensusEntry* entry = wanted(evidence, execution, rank, read);
  if (!entry) return std::nullopt;
  tally.check();
  CensusEntry got = *entry;
  got.shape = read.shape;
  got.dtype = read.dtype;
  got.content = read.content;
  const auto difference = compare(&got, {.entry = entry, .bytes = &entry->content->bytes, .other = nullptr, .origin = {}});
  if (!difference) return std::nullopt;
  const std::string whose = identity(evidence, rank, read);
  const std::string why = whose.empty()
                              ? fmt::format(
                                    "it is no layer's weight: not all of it was written, or it was read too early, or while it arrived; {} "
                                    "was to be read",
                                    meant(evidence, execution, rank, read))
                              : fmt::format("what was read is {}", whose);
  return Finding{.step = read.step, .tensor = entry->path, .what = difference->what, .first = difference->first, .why = why};
}

// Reads that a pass which went well did not make: then nothing was checked where something should have been.
std::optional<Finding> judge_count(const Evidence& evidence, const Execution& execution, size_t rank, int step) {
  const Step& pass = execution.steps[static_cast<size_t>(step)];
  const StepOutcome* outcome = outcome_of(execution.ranks[rank], step);
  if (pass.kind != StepKind::pass || !outcome || !outcome->status.ok()) return std::nullopt;
  const auto planned = visits(evidence.the_case, pass.pass, evidence.number(rank));
  const auto meant = std::ranges::count_if(planned, [](const Visit& visit) { return reads(visit); });
  const auto made = std::ranges::count_if(execution.ranks[rank].reads,
                                          [&](const RankRun::Read& read) { return read.step == step && read.slot == "weight"; });
  if (meant == made) return std::nullopt;
  return Finding{.step = step, .what = fmt::format("{} reads of weights, expected {}", made, meant)};
}

std::optional<Finding> judge_steps(const Evidence& evidence, const Execution& execution, size_t rank, StepKind kind, Tally& tally) {
  if (!execution.stopped.empty()) return std::nullopt;  // what hosts had issued may never have been read
  const auto step_of = [&](const RankRun::Read& read) -> const Step& { return execution.steps[static_cast<size_t>(read.step)]; };
  for (const RankRun::Read& read : execution.ranks[rank].reads)
    if (read.step >= 0 && step_of(read).kind == kind)
      if (auto finding = judge_read(evidence, execution, rank, read, tally)) return finding;
  return std::nullopt;
}

}  // namespace

bool is_wrong(const Evidence& evidence, const Execution& execution, size_t rank, const RankRun::Read& read) {
  const CensusEntry* entry = wanted(evidence, execution, rank, read);
  if (!entry) return false;
  return read.shape != entry->shape || read.dtype != entry->dtype || read.content->fingerprint != entry->content->fingerprint;
}

Verdict judge_ring_content(const Evidence& evidence) {
  Verdict verdict = judge_ranks(
      evidence, "ring_content", "no pass read anything",
      [&](const Execution& execution, size_t rank, Tally& tally) {
        auto finding = judge_steps(evidence, execution, rank, StepKind::pass, tally);
        for (int step = 0; !finding && step < static_cast<int>(execution.steps.size()); ++step)
          finding = judge_count(evidence, execution, rank, step);
        return finding;
      },
      passes);
  // That everything was read is seen in every world.
  if (has_bytes(evidence) || verdict.outcome == Outcome::fail) return verdict;
  return Tally("ring_content").unsupported("this world has no bytes to compare");
}

Verdict judge_graph_replay(const Evidence& evidence) {
  const Execution* warm = warm_of(evidence);
  if (warm && std::ranges::none_of(warm->steps, [](const Step& step) { return step.kind == StepKind::replay; }))
    return Tally("graph_replay").unsupported("the scenario replays no graph");
  if (evidence.the_case.series.empty()) return judge_graphs_at_rest(evidence);
  if (!has_bytes(evidence)) return Tally("graph_replay").unsupported("this world has no bytes to compare");
  return judge_ranks(evidence, "graph_replay", "no replay read anything", [&](const Execution& execution, size_t rank, Tally& tally) {
    return judge_steps(evidence, execution, rank, StepKind::replay, tally);
  });
}

}  // namespace reloadlab::sim
