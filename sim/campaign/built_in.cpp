// The one file of the campaign that touches tensors.
#include <ATen/Parallel.h>
#include <torch/version.h>

#include "sim/campaign/engine.h"
#include "sim/campaign/explore_case.h"
#include "sim/candidate/candidate.h"
#include "sim/replay/lacks.h"
#include "sim/replay/replay.h"

namespace reloadlab::sim {
namespace {

Result<Evidence> replay_named(const Case& the_case, const std::string& candidate, const EngineOptions& options) {
  RELOADLAB_ASSIGN(const CandidateInfo info, find_candidate(candidate));
  RELOADLAB_ASSIGN(
      Evidence evidence,
      replay(the_case, info, {.prove_determinism = options.prove_determinism, .on_step = options.on_step, .seat = options.seat}));
  find_witnesses(the_case, info, evidence);
  return evidence;
}

Result<ExploreReport> explore_named(const Case& the_case, const std::string& candidate, const ExploreOptions& options) {
  RELOADLAB_ASSIGN(const CandidateInfo info, find_candidate(candidate));
  return explore_case(the_case, info, options);
}

}  // namespace

Engine built_in_engine() {
  // Sums over a tensor depend on how many threads share them.
  at::set_num_threads(1);
  Engine engine;
  engine.candidate = [](const std::string& spelling) -> Result<EngineCandidate> {
    RELOADLAB_ASSIGN(const CandidateInfo info, find_candidate(spelling));
    return EngineCandidate{info.name, info.system};
  };
  engine.default_candidates = default_candidates;
  engine.candidate_names = candidate_names;
  engine.replay = replay_named;
  engine.lacks = lacks;
  engine.judge = judge;
  engine.explore = explore_named;
  engine.meet = open_meeting_place;
  engine.watch_hangs = watch_hangs;
  for (const LawInfo& law : laws()) engine.laws.push_back({std::string(law.id), std::string(law.sentence)});
  return engine;
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace reloadlab::sim
