#pragma once
// Runs one case with one candidate and gathers the evidence that the case's laws need.
#include <functional>
#include <optional>

#include "reference/base/status.h"
#include "sim/candidate/candidate.h"
#include "sim/evidence/evidence.h"
#include "sim/world/world.h"

namespace reloadlab::sim {

struct ReplayOptions {
  bool keep_allocations = false;   // alloc and free events in the trace (the memory timeline); peaks are always there
  bool prove_determinism = false;  // adds Variation::again
  WorldMaker make_world;           // empty: make_world()
  // For whoever plays a case under many schedules: the executions of an earlier replay, which are the same in each but for the warm one;
  // and, with series, a call while the world is as the steps have left it.
  const Evidence* others = nullptr;
  std::function<void(World& world)> after_run;
  // And one for each read, with the copy that was made of what was read, wherever it lies.
  std::function<void(int model, int rank, size_t read, const at::Tensor& copy)> on_copy;
  // Called before each step of each execution on each rank, for whoever watches from outside: a worker announces it, so that a
  // crash or a hang can be placed. Step -1: before the first one (construction). May be empty.
  std::function<void(const Variation& variation, int rank, int step)> on_step;
  // As each event is noted, for whoever keeps it where a crash does not reach. May be empty.
  std::function<void(const Variation& variation, int rank, const Event& event)> on_event;
  bool timed = false;                    // see WorldRequest
  std::optional<modelled::Rates> rates;  // the same
  std::optional<Seat> seat;              // only this rank is played, and this process is it: its evidence is a part (rank_parts.h)
};

// Code::data when a checkpoint cannot be read or does not fit the model; a candidate's failure is evidence, not an error.
Result<Evidence> replay(const Case& the_case, const CandidateInfo& candidate, const ReplayOptions& options = {});

}  // namespace reloadlab::sim
