#pragma once
// The contract for an implementation under test: two roles, of which it has either or both. One instance serves one rank, a series' one
// series on it. The harness owns model and world; a candidate gets references that live as long as it does not outlive the call,
// except where said.
//
// The order of calls to a Reloader:  record (once, after construction) · [first load] · before_post_load (once) · then per update:
// prepare · loads through each parameter's own loader, which the candidate may wrap · finish, or abort where it has one. Between updates
// the model may sleep · wake.
// Scenarios of misuse leave calls out, double them or change their order.
// Errors come back as Status; an exception that crosses the boundary is a verdict (crashed), not a crash of the harness.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "reference/base/status.h"
#include "reference/model/layer.h"
#include "reference/model/observer.h"
#include "reference/model/series_context.h"

namespace reloadlab::sim {

struct FinishConfig {
  DType dtype = DType::bf16;  // the model's dtype, for post-load steps of deferred layers
};

class Reloader {
 public:
  virtual ~Reloader() = default;
  virtual Status record(model::Model& model) = 0;
  virtual Status before_post_load(model::Model&) { return {}; }
  virtual Status prepare(model::Model& model) = 0;
  virtual Status finish(model::Model& model, const FinishConfig& config) = 0;
  // Abandons the update. Code::unsupported where the implementation has none.
  virtual Status abort(model::Model&) { return Status(Code::unsupported, "no abort"); }
  // What construction and first load have allocated is about to lose its physical memory; addresses stay. Until wake nobody may touch it.
  // Where contents are not kept, the engine restores the model's buffers before it calls wake, and nothing else: what no
  // checkpoint brings the implementation has to keep, and a reload of a whole checkpoint follows. What it refuses does not happen.
  virtual Status sleep(model::Model&, bool keeps_contents) {
    (void)keeps_contents;
    return {};
  }
  virtual Status wake(model::Model&) { return {}; }
  // True when the implementation says that the model must not be used until a full reload has succeeded.
  virtual bool unusable() const { return false; }
};

// One series of one model on one rank. The order of calls: register_layer for each layer, before any load · [first load] ·
// finish_loading, once · then passes, which call reach(i) before the forward of layer i. It may wrap the layer's forward (Layer::hooks)
// as it wraps loaders; a caller that reads the weight without it calls wait(i) first. From register_layer on everything is collective.
class WeightSeries {
 public:
  virtual ~WeightSeries() = default;
  virtual Status register_layer(const model::LayerPtr& layer, int64_t index) = 0;
  virtual Status finish_loading() = 0;
  virtual Status reach(int64_t index) = 0;
  virtual Status wait(int64_t index) = 0;
  // Code::unsupported where the implementation has none. The current stream comes after every broadcast in flight.
  virtual Status drain() { return Status(Code::unsupported, "no drain"); }
  // The next pass begins at the first layer, wherever the last one stopped.
  virtual Status reset() { return Status(Code::unsupported, "no reset"); }
  // Owners get new weights between the two calls: in place and processed, or through loaders as checkpoints have them. Where a model has
  // several series each takes or refuses the reload by itself: what one of them refuses, the others have all the same.
  virtual Status begin_reload(bool in_place) {
    (void)in_place;
    return Status(Code::unsupported, "no reload");
  }
  virtual Status reload() { return Status(Code::unsupported, "no reload"); }
  // As a Reloader's. What is in flight comes before.
  virtual Status sleep(bool keeps_contents) {
    (void)keeps_contents;
    return {};
  }
  virtual Status wake() { return {}; }
};

// What an instance is made with. The observer outlives the instance.
struct CandidateContext {
  model::Observer* observer = nullptr;
  int rank = 0;
  int ranks = 1;
  bool transport_reuses_buffers = false;  // declared by the source: a loaded tensor's bytes may change after its load call returns
  std::optional<int64_t> extra_bytes_limit;
};

struct CandidateInfo {
  std::string name;    // "layerwise@seed"
  std::string system;  // "layerwise"
  // What it declares about itself: abort=none|backup|unusable, excess/missing/unexpected=silent|accept|warn|reject,
  // buffering=by_reference|owned, completion=numel|elements|finish, landing=direct (loads are written as they come),
  // misuse=undefined|error. Laws judge against these. Who declares scope=model restores, loads and quantizes all layers at once, with
  // ties=all under every name, and has a memory formula of its own.
  std::map<std::string, std::string> declared;
  std::string not_on_gpus;  // why it cannot be judged on the world cuda; empty: it can
  // Null: it does not have the role.
  std::function<Result<std::unique_ptr<Reloader>>(const CandidateContext&)> make_reloader;
  std::function<Result<std::unique_ptr<WeightSeries>>(const CandidateContext&, const model::SeriesContext&)> make_series;
};

// "layerwise@seed", "layerwise@hardened,abort=unusable", a registered name; Code::usage with the nearest spelling otherwise. Or the path of
// a plug-in (plugin.h), which may be Code::data.
Result<CandidateInfo> find_candidate(const std::string& spelling);
// The profiles that run when no candidate is named, for a system: both of them.
std::vector<std::string> default_candidates(const std::string& system);
// Adds a candidate family (a mutant library, a plug-in). `make` gets what follows the '@' or the whole name.
void register_candidate(const std::string& name, std::function<Result<CandidateInfo>(const std::string& spelling)> make);
// Gives a registered family profiles: it is then spelled "family@profile", and these run when no candidate is named.
void register_profiles(const std::string& family, std::vector<std::string> profiles);
// Every spelling without changes to single policies: "layerwise@seed", "layerwise@hardened", …
std::vector<std::string> candidate_names();

}  // namespace reloadlab::sim
