#pragma once
// Evidence as laws ask for it: the census after a step, the update that a step ends, the steps after which the model is at rest.
#include <functional>

#include "sim/evidence/evidence.h"
#include "sim/law/law.h"

namespace reloadlab::sim {

// Counts what a law compared and makes its verdict.
class Tally {
 public:
  explicit Tally(std::string_view law) : law_(law) {}
  void check(int64_t count = 1) { checks_ += count; }
  Verdict fail(Finding finding) const;
  // A pass, or, where nothing was checked, inconclusive for the reason given.
  Verdict done(std::string_view nothing_checked) const;
  // The case has nothing that the law speaks about, or its world cannot show it.
  Verdict unsupported(std::string_view reason) const;
  // A pass, or, where nothing was checked, unsupported: the candidate calls the model unusable wherever the law would look.
  Verdict unusable() const;

 private:
  std::string_view law_;
  int64_t checks_ = 0;
};

bool has_bytes(const Evidence& evidence);  // false on meta
bool sees_time(const Evidence& evidence);  // what things take: false on real devices, where it differs from run to run
const Execution* warm_of(const Evidence& evidence);

const Census* census_after(const RankRun& run, int step);     // null: none was taken
const StepOutcome* outcome_of(const RankRun& run, int step);  // null: the step was not run
const Step* step_at(const Execution& execution, int step);    // null: no such step
// With series: whether a reload has failed on the rank, and nothing that ended well by then has shown that it is over.
bool reload_left_open(const Execution& execution, const RankRun& run, int step);
// What a forward step gave on the rank; null: no forward, or no output.
const Blob* output_of(const RankRun& run, int step);
int layer_index(const Evidence& evidence, std::string_view layer);  // -1: none
const model::LayerSpec* layer_spec(const Evidence& evidence, std::string_view layer);

// A fresh model with that checkpoint, before any forward; null: no such execution. `poison`: which of the two.
const Census* cold_census(const Evidence& evidence, std::string_view checkpoint, size_t rank, int poison = 0);
// What a forward of it gives.
const Blob* cold_output(const Evidence& evidence, std::string_view checkpoint, size_t rank);

// The entry with that path; `hint` is where it was in another census of the same model.
const CensusEntry* counterpart(const Census& census, size_t hint, std::string_view path);

// Steps first..last of one update.
struct StepRange {
  int first = 0, last = 0;
  bool has(int step) const { return first <= step && step <= last; }
};
// The update that the step belongs to: from its prepare (reload, retry and load are updates of their own) to its end.
StepRange update_of(const Execution& execution, int step);
// Every update of the execution that does more than the first load, in order.
std::vector<StepRange> updates_of(const Execution& execution);

// What the warm execution's step is to come to on the rank: what the scenario says, unless the candidate declares that it refuses it.
Step::Outcome meant_outcome(const Evidence& evidence, size_t rank, int step);
bool is_refused(const RankPlan& plan, const PlannedLoad& load);

// The warm execution's step is to end an update well: it is meant to be ok, gives nothing up, and has a state.
bool meant_to_commit(const Evidence& evidence, size_t rank, int step);
// True where the warm execution's update ended well and was meant to: the step that ends it is ok, gives nothing up, and has a state.
bool went_through(const Evidence& evidence, size_t rank, StepRange update);
// True where some update of the scenario is meant to end well on the rank, whether it did or not.
bool means_to_update(const Evidence& evidence, size_t rank);

// States of the warm execution's plan at which the model is at rest: no update is open, a census was taken, and the candidate does
// not call the model unusable. With series these are the first load and the end, without what is in windows, and what they hold is not
// planned.
struct RestingState {
  RankPlan::State planned;
  const Census* census;
};
std::vector<RestingState> resting_states(const Evidence& evidence, size_t rank);

// True where the plan has states that resting_states() leaves out because the candidate calls the model unusable: a law that has
// nothing else to look at says so instead of calling the case inconclusive. failure_atomic judges whether it may call it that.
bool left_unusable(const Evidence& evidence);

// True where all ranks hold the same checkpoint after the step, whole. A forward joins what ranks compute, and a policy may refuse an
// update on some ranks only: elsewhere its output tells of no checkpoint.
bool ranks_hold_one(const Evidence& evidence, int step);

// True where the layer has a post-load step of its own or of its quantization method, as a cold load shows.
bool has_post_load(const Evidence& evidence, size_t rank, std::string_view layer);

}  // namespace reloadlab::sim
