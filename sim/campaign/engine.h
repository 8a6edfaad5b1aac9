#pragma once
// What a campaign needs from the rest: candidates, replay, laws. A seam, so that the campaign itself names no LibTorch header and
// its tests can put something small in place.
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/campaign/exploration.h"
#include "sim/evidence/evidence.h"
#include "sim/law/law.h"
#include "sim/report/run_result.h"
#include "sim/world/meeting_place.h"
#include "sim/world/modelled/rates.h"
#include "sim/world/seat.h"

namespace reloadlab::sim {

struct EngineCandidate {
  std::string name;    // canonical spelling: "layerwise@hardened"
  std::string system;  // "layerwise"
};

struct EngineOptions {
  bool prove_determinism = false;
  // Called as each step of each execution begins; see ReplayOptions.
  std::function<void(const Variation&, int rank, int step)> on_step;
  std::function<void(const Variation&, int rank, const Event&)> on_event;  // as each is noted
  std::function<void()> on_wait;         // now and then while other cases have the GPUs (gpu_turn.h): nothing hangs
  double silence_seconds = 60;           // without anything heard from a process: it hangs
  std::string log;                       // what processes print that replay() starts; empty: where this one prints its errors
  bool timed = false;                    // times are taken, also of real devices: they differ from run to run
  std::optional<modelled::Rates> rates;  // modelled devices: what things take
  std::optional<Seat> seat;              // only this rank, which this process is; the evidence is a part (rank_parts.h)
};

struct Engine {
  // Code::usage with the nearest spelling when nothing is called so.
  std::function<Result<EngineCandidate>(const std::string& spelling)> candidate;
  std::function<std::vector<std::string>(const std::string& system)> default_candidates;
  std::function<std::vector<std::string>()> candidate_names;
  // Code::data: a checkpoint is missing or does not fit. Code::unsupported: this program cannot run such a case.
  std::function<Result<Evidence>(const Case&, const std::string& candidate, const EngineOptions&)> replay;
  // What the case requires and this machine or program lacks; empty when it can run here.
  std::function<std::string(const Case&)> lacks;
  std::function<std::vector<Verdict>(const Evidence&)> judge;
  // Code::usage: the case has no schedules. Code::data: a checkpoint is missing, or what is asked for is no schedule.
  std::function<Result<ExploreReport>(const Case&, const std::string& candidate, const ExploreOptions&)> explore;
  // Where the processes of ranks find each other.
  std::function<Result<std::unique_ptr<MeetingPlace>>()> meet;
  // Ends what replay() keeps for cases to come. May be empty.
  std::function<void()> dismiss;
  // Bytes in use on each GPU, whoever uses them, without driving one. May be empty.
  std::function<std::vector<int64_t>()> gpu_memory;
  // What conditions of expectation files are about, of this program and machine (expectation.h). May be empty.
  std::function<std::map<std::string, std::string>()> facts;
  // What is told before the process is ended because a candidate holds a rank for so long that it will not come back. For workers.
  std::function<void(double seconds, std::function<void(const std::string& picture)> told)> watch_hangs;
  // Where a candidate stands that has not come back, in one line. Called from a thread of its own. May be empty.
  std::function<std::string()> stands;
  std::vector<LawText> laws;  // in registry order

  std::vector<std::string> law_ids() const;
};

// The real one: sim/candidate, sim/replay and sim/law.
Engine built_in_engine();
// LibTorch as the program was built with it, and as it was found when the program started.
struct TorchFound {
  std::string built, version;    // "2.11.0", "2.11.0+cu130"; empty where it does not say
  std::filesystem::path folder;  // that has lib/ and version.py
};
TorchFound torch_found();

}  // namespace reloadlab::sim
