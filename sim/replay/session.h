#pragma once
// One rank of one execution: its model, its candidate instance, and the steps done to them under the harness's eyes.
#include <c10/util/FunctionRef.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "reference/model/layer.h"
#include "reference/model/process_tables.h"
#include "sim/candidate/candidate.h"
#include "sim/checkpoint/checkpoint.h"
#include "sim/evidence/evidence.h"
#include "sim/replay/catalogue.h"
#include "sim/replay/census.h"
#include "sim/replay/graphs.h"
#include "sim/replay/series_player.h"
#include "sim/replay/transport.h"
#include "sim/replay/watch.h"
#include "sim/world/world.h"

namespace reloadlab::sim {

using Checkpoints = std::map<std::string, std::shared_ptr<const Checkpoint>>;

// What all ranks of an execution share. Outlives their sessions.
struct Stage {
  const Case& the_case;
  const Catalogue& catalogue;
  const CandidateInfo* candidate;  // null: a cold load
  const Variation& variation;
  World& world;
  BlobStore& blobs;
  const Checkpoints& checkpoints;
  std::shared_ptr<const Checkpoint> digits;  // digit executions: what updates read instead
  bool keep_allocations = false;
  // What a cold load of the checkpoint leaves under the path, on the CPU; for steps that write it.
  std::function<at::Tensor(const std::string& checkpoint, const std::string& path)> processed;
  // As each event is noted; may be empty.
  std::function<void(int rank, int model, const Event&)> on_event = {};
  // Of the execution: what an earlier one has left, and lets go of now, is not its own.
  model::Counted<model::Layer>::Scope layers = {};
  model::Counted<model::Parameter>::Scope parameters = {};
};

// Every call runs with the rank's account current (World::each_rank sees to it).
class RankSession {
 public:
  // `model`: which of its rank's, where there are several.
  RankSession(const Stage& stage, int rank, RankRun& run, int model = 0);
  ~RankSession();
  RankSession(const RankSession&) = delete;
  RankSession& operator=(const RankSession&) = delete;

  // Builds the model, makes the candidate and lets it record, unless the case says never. Only a harness error (Code::data,
  // Code::usage) comes back.
  Status construct();
  // Does any step but `forward`, takes the census, appends the outcome. Only a harness error comes back.
  Status run_step(int number, const Step& step);
  // `forward` is done by all ranks together: the model if it may be used (null otherwise), and where the output is noted.
  model::Model* usable_model();
  void note_forward(int number, Status status, const at::Tensor* output);
  // Counts again what is alive, once all ranks have done the step: what ranks share a thread with is counted too.
  void recount();
  const Chances& chances() const { return watch_.chances(); }
  // Whether the rank does nothing any more (Pass::lost).
  bool lost() const { return series_ && series_->lost(); }
  // Of cases with series, when the run is over: what forwards read, and a last census. Tells of each copy, unless that is empty.
  void collect(const std::function<void(int model, int rank, size_t read, const at::Tensor& copy)>& on_copy);

 private:
  Status supervised(c10::function_ref<Status()> fn);
  bool says_unusable();
  bool reuses_buffers() const;
  Status record();
  Status act(const Step& step);
  bool meta_is_device() const;  // tensors on meta stand for those of a device
  Status load_first(const Step& step);
  Status write_straight(const LoadPlan& plan);
  Status reload(const Step& step);
  Status capture(const Step& step);
  Status replay(const Step& step);
  Status sleep(const Step& step);
  Status wake();
  void look_for_touches();
  void save_buffers();
  void bring_buffers_back();
  Status make_series(const CandidateContext& context);
  void take_census(int step, bool bytes);
  Status prepare(const Step& step);
  Status loads(const Step& step);
  Status finish();
  Status abort();
  Status abandon(const Status& status);
  Status deliver(const LoadPlan& plan, const std::optional<int64_t>& limit, const Checkpoint& source);
  Status send(const LoadPlan& plan, const std::optional<int64_t>& limit, const Checkpoint& source);
  Status send_by(Transport& transport, const LoadPlan& plan, const std::optional<int64_t>& limit);
  Result<at::Tensor> fetch(Transport& transport, size_t position) const;
  void say(const char* what, const std::string& name) const;
  Status deliver_one(Transport& transport, size_t position);
  Status call_loader(const model::ParameterPtr& handle, const model::Delivery& delivery, const at::Tensor& loaded);
  model::ParameterPtr resolve(int delivery) const;
  void resolve_all();
  void resolve_batch(const std::vector<Sent>& sent, size_t first, size_t count);
  void begin_outcome(int number);
  void end_outcome(Status status, std::optional<StepKind> kind = {});
  void destroy();
  void count_living(StepOutcome& outcome) const;

  const Stage& stage_;
  int rank_;
  int model_number_;
  RankRun& run_;
  AccountPtr account_;
  WeightPool* pool_;  // null: the case never sleeps
  Watch watch_;
  CensusTaker census_;
  std::unique_ptr<model::Model> model_;
  std::vector<model::Layer*> layers_;  // by catalogue index
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<GraphPlayer> graphs_;        // null: nothing was captured, or there are series
  std::unique_ptr<SeriesPlayer> series_;       // null: the case has none
  std::vector<model::ParameterPtr> resolved_;  // handles looked up for a batch of loads, by delivery
  model::ProcessTables process_tables_;
  std::optional<DType> default_dtype_;  // of the step that runs
  StepOutcome outcome_;                 // of the step that runs
  Status harness_error_;
  bool filling_ = true;  // what is allocated belongs to the model: until its first load has ended
  bool asleep_ = false;
  struct SavedBuffer {
    std::string path;  // layer and slot
    at::Tensor bytes;  // on the host
  };
  std::vector<SavedBuffer> saved_;  // by a sleep that loses the rest
  bool update_open_ = false;
  bool update_seen_ = false;    // at some time of the step that runs
  int64_t baseline_bytes_ = 0;  // live when the update began
};

}  // namespace reloadlab::sim
