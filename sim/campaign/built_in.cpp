// The one file of the campaign that touches tensors.
#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include "sim/campaign/engine.h"
#include "sim/campaign/explore_case.h"
#include "sim/candidate/candidate.h"
#include "sim/replay/replay.h"
#include "sim/world/module.h"

namespace reloadlab::sim {
namespace {

Result<Evidence> replay_named(const Case& the_case, const std::string& candidate, const EngineOptions& options) {
  RELOADLAB_ASSIGN(const CandidateInfo info, find_candidate(candidate));
  RELOADLAB_ASSIGN(Evidence evidence, replay(the_case, info, {.prove_determinism = options.prove_determinism, .on_step = options.on_step}));
  find_witnesses(the_case, info, evidence);
  return evidence;
}

Result<ExploreReport> explore_named(const Case& the_case, const std::string& candidate, const ExploreOptions& options) {
  RELOADLAB_ASSIGN(const CandidateInfo info, find_candidate(candidate));
  return explore_case(the_case, info, options);
}

std::string lacks(const Case& the_case) {
  const Requires& needs = the_case.needs;
  const bool on_gpu = the_case.world == WorldKind::cuda;
  if (needs.gpus > 1 || (needs.gpus > 0 && !on_gpu))
    return fmt::format("needs {} GPUs; this program drives one, in the world cuda", needs.gpus);
  if (needs.vram_gib > 0) return fmt::format("needs {} GiB on a GPU; this program does not ask how much one has", needs.vram_gib);
  if (!needs.features.empty()) return fmt::format("needs {}, which this program does not have", fmt::join(needs.features, ", "));
  if (on_gpu && !the_case.series.empty()) return "series in the world cuda, which has no communicators";
  if (on_gpu && gpu_count() == 0) return "no GPU here";
  return {};
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
  engine.watch_hangs = watch_hangs;
  for (const LawInfo& law : laws()) engine.laws.push_back({std::string(law.id), std::string(law.sentence)});
  return engine;
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace reloadlab::sim
