// The one file of the campaign that touches tensors.
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/version.h>

#include <fstream>

#include "sim/campaign/engine.h"
#include "sim/campaign/explore_case.h"
#include "sim/campaign/scheduled.h"
#include "sim/candidate/candidate.h"
#include "sim/candidate/declared.h"
#include "sim/candidate/plugin.h"
#include "sim/candidate/python.h"
#include "sim/replay/lacks.h"
#include "sim/replay/replay.h"

namespace reloadlab::sim {
namespace {

Result<Evidence> replay_named(const Case& the_case, const std::string& candidate, const EngineOptions& options) {
  RELOADLAB_ASSIGN(const CandidateInfo info, find_candidate(candidate));
  if (the_case.world == WorldKind::cuda && !info.not_on_gpus.empty()) return Status(Code::unsupported, info.not_on_gpus);
  const ReplayOptions how{.prove_determinism = options.prove_determinism,
                          .on_step = options.on_step,
                          .on_event = options.on_event,
                          .timed = options.timed,
                          .rates = options.rates,
                          .seat = options.seat};
  RELOADLAB_ASSIGN(Evidence evidence, replay(the_case, info, how));
  // Times are those of one schedule, the cost model's.
  if (the_case.delays && has_other_schedules(the_case) && !options.timed && !options.rates) {
    RELOADLAB_ASSIGN(evidence, play_schedules(the_case, info, how, std::move(evidence)));
  }
  find_witnesses(the_case, info, evidence);
  return evidence;
}

Result<ExploreReport> explore_named(const Case& the_case, const std::string& candidate, const ExploreOptions& options) {
  RELOADLAB_ASSIGN(const CandidateInfo info, find_candidate(candidate));
  return explore_case(the_case, info, options);
}

// LibTorch's own word for its version, in the text file beside its libraries; "2.11.0+cu130".
std::string version_in(const std::filesystem::path& folder) {
  std::ifstream file(folder / "version.py");
  constexpr std::string_view begin = "__version__ = '";
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(begin)) return line.substr(begin.size(), line.find('\'', begin.size()) - begin.size());
  return {};
}

std::map<std::string, std::string> facts_here() {
  const TorchFound torch = torch_found();
  std::map<std::string, std::string> facts{{"torch", torch.version.empty() ? torch.built : torch.version}};
  if (!gpus().here.empty()) facts["compute_capability"] = capability_text(gpus().here.front().capability);
  return facts;
}

}  // namespace

Engine built_in_engine() {
  // Sums over a tensor depend on how many threads share them.
  at::set_num_threads(1);
  // A case allocates and frees some ten thousand small things. In glibc's fast bins they are put together again at each larger one, which
  // takes an eighth of the time of a small case.
  ::mallopt(M_MXFAST, 0);
  Engine engine;
  engine.candidate = [](const std::string& spelling) -> Result<EngineCandidate> {
    if (is_python(spelling)) {
      RELOADLAB_ASSIGN(const CandidateInfo described, describe_python(spelling));
      RELOADLAB_TRY(check_declared(described));
      return EngineCandidate{described.name, described.system};
    }
    if (is_plugin(spelling)) RELOADLAB_TRY(try_plugin(spelling));
    RELOADLAB_ASSIGN(const CandidateInfo info, find_candidate(spelling));
    return EngineCandidate{info.name, info.system};
  };
  engine.default_candidates = default_candidates;
  engine.candidate_names = candidate_names;
  engine.replay = replay_named;
  engine.lacks = [](const Case& the_case) { return lacks(the_case, gpus()); };
  engine.judge = judge;
  engine.explore = explore_named;
  engine.gpu_memory = [] { return gpu_memory_in_use(gpus()); };
  engine.facts = facts_here;
  engine.meet = open_meeting_place;
  engine.watch_hangs = watch_hangs;
  for (const LawInfo& law : laws()) engine.laws.push_back({std::string(law.id), std::string(law.sentence)});
  return engine;
}

TorchFound torch_found() {
  TorchFound found{.built = TORCH_VERSION};
  Dl_info library{};
  if (::dladdr(reinterpret_cast<void*>(&at::set_num_threads), &library) == 0) return found;
  std::error_code error;
  found.folder = std::filesystem::canonical(library.dli_fname, error).parent_path().parent_path();
  found.version = version_in(found.folder);
  return found;
}

}  // namespace reloadlab::sim
