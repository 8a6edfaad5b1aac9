#pragma once
// Judges a live model of somebody else's process: no scenario, no substrate, no poison. Who watches it says what the model holds at each
// moment (held.h), and what happened in between; that becomes Evidence, which the same laws judge as any other.
//
//   cold("A", …) cold("B", …)  fresh models, loaded as the process starts    ─▶ executions "cold A", "cold B"
//   begin("A", …)              the live model as it was found, which holds A ─▶ step 0, "load A"
//   update({"B", …}) …         what the process calls a reload               ─▶ steps 1, 2, …: "reload to B"
//   graphs({…})                what captured graphs gave since               ─▶ a step "replay"
//
// Every update counts as the repetition of the first one, for what must not grow. One rank's; several are put together by merge().
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/attach/held.h"
#include "sim/evidence/evidence.h"
#include "sim/replay/census.h"
#include "sim/report/run_result.h"

namespace reloadlab::sim {

struct AttachOptions {
  std::string name = "attached";       // of the model, as reports call it
  std::string candidate = "reload";    // what puts weights into it
  std::vector<std::string> laws;       // those to judge; empty: all that need no substrate and for which there is evidence
  std::optional<int64_t> extra_bytes;  // the most that an update may hold beside the model; none: memory_bound is not judged
  bool bytes = true;                   // false: contents are not looked at, and laws about them not judged
  bool on_gpu = false;                 // where the model lives, for reports
  int rank = 0, ranks = 1;
};

struct Update {
  std::string checkpoint;                               // what the model is said to hold now; a name of its own where that is not known
  Status status;                                        // what the reload came to
  int64_t extra_bytes_peak = 0, extra_bytes_after = 0;  // beside what was live as it began
  // Of the process, after it; what updates must not let grow.
  int64_t live_layers = 0, live_parameters = 0, live_allocations = 0, live_bytes = 0;
};

struct GraphOutput {
  std::string graph;
  at::Tensor output;
};

class Attached {
 public:
  // Code::usage: a law that is unknown or needs more than a live model, with the nearest spelling; ranks that cannot be.
  static Result<Attached> make(AttachOptions options);

  void cold(const std::string& checkpoint, Moment moment, const std::vector<GraphOutput>& outputs = {});
  void begin(const std::string& checkpoint, Moment moment);
  // REQUIRES begin().
  void update(const Update& update, Moment moment);
  // An earlier cold checkpoint with the same contents in all that a model holds; empty: there is none. A reload would change nothing.
  std::string twin(const std::string& checkpoint) const;
  void graphs(const std::vector<GraphOutput>& outputs);

  // What was seen up to now.
  const Evidence& evidence() const { return evidence_; }
  // Keeps what the model holds now, as what it was found with, and what the first update came to: for those who judge after each of very
  // many. `growth`: what is there now is no more than what the first one left. REQUIRES begin().
  void forget(bool growth = false);

 private:
  explicit Attached(AttachOptions options);
  Census census(Moment moment, int step);
  Execution& execution(Variation::Kind kind, const std::string& name = {});
  int add_step(Step step);
  void add_reads(const std::vector<GraphOutput>& outputs, int step, RankRun& run);
  void repeat_updates();
  void forget_what_is_not_of_weights();
  void forget_what_went(const Census& there);

  AttachOptions options_;
  Evidence evidence_;
  std::unique_ptr<BlobStore> blobs_;
  Places places_;
  struct First {
    StepOutcome outcome;
    Step step;
  };
  std::optional<First> first_;  // of the updates, where it is forgotten
};

// The laws that judge() asks of such evidence.
std::vector<std::string> attachable_laws();
CaseResult judge_attached(const Evidence& evidence);
// What is broken, in the words of reports; or that nothing is.
std::string text_of(const CaseResult& result);
// What ranks have seen, in any order; each once. Code::data where they are of different runs or one is missing.
Result<Evidence> merge_attached(std::vector<Evidence> ranks);

}  // namespace reloadlab::sim
