#pragma once
// A layerwise reloader in its plainest form, written independently of the engines: it knows from the layer kinds which deliveries a
// layer waits for, buffers them by reference, and processes the layer when the last has come. Correct for layers that share nothing,
// with abort=backup; each Wrong breaks it in one place.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/candidate/candidate.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::mutants {

class PlainReloader final : public sim::Reloader {
 public:
  PlainReloader(Wrong wrong, const sim::CandidateContext& context)
      : wrong_(wrong), rank_(context.rank), copies_(context.transport_reuses_buffers), observer_(context.observer) {}

  Status record(model::Model& model) override;
  Status prepare(model::Model& model) override;
  Status finish(model::Model& model, const sim::FinishConfig& config) override;
  Status abort(model::Model& model) override;
  Status sleep(model::Model& model, bool keeps_contents) override;
  Status wake(model::Model& model) override;

 private:
  // One delivered slot as it was at construction.
  struct Recorded {
    std::string slot;
    std::vector<int64_t> shape, strides;
    at::ScalarType dtype;
    std::string tensor_class;
    Values attributes;
    model::LoaderPtr loader;
  };
  struct Kernel {
    std::string slot;
    model::ParameterPtr handle;
    at::Tensor before;  // the old bytes, once the layer is being processed
  };
  struct Buffered {
    size_t delivery;
    at::Tensor loaded;
    model::LoadArgs args;
  };
  // A layer between prepare and finish.
  struct Armed {
    model::Layer* layer;
    std::vector<model::Delivery> waited;  // that this rank takes something of
    std::set<size_t> arrived;
    int64_t elements_wanted = 0, elements_counted = 0;
    std::vector<Buffered> buffer;
    std::vector<Kernel> kernels;
    std::map<std::string, double> host;
    bool done = false;
  };

  void hear(const model::LayerPtr& layer, const std::string& slot);
  void look_at_all();
  at::Tensor cached(const Armed& armed, const std::string& slot, const at::Tensor& loaded, const model::LoadArgs& args);
  bool is_direct(const model::Layer& layer) const;
  void arm(model::Layer& layer);
  void place_placeholder(Armed& armed, const Recorded& recorded);
  Status load(Armed& armed, const std::string& slot, const at::Tensor& loaded, const model::LoadArgs& args);
  void forget_later_handles(Armed& armed);
  bool is_complete(const Armed& armed) const;
  Status process(Armed& armed);
  Status replay(Armed& armed);
  Status copy_back(Armed& armed);
  void put_back(Armed& armed);
  Status close(Armed& armed);
  void report_missing(const Armed& armed);
  Status derive();
  void clear(model::Model& model);
  void say(model::EngineEventKind kind, const model::Layer& layer, std::string_view slot = {}, int64_t numel = 0);

  Wrong wrong_;
  int rank_;
  bool copies_;  // the transport owns what is loaded
  model::Observer* observer_;
  std::map<std::string, std::vector<Recorded>, std::less<>> record_;  // by layer
  std::vector<std::unique_ptr<Armed>> armed_;                         // in module order
  bool open_ = false;
  bool asleep_ = false;
  std::vector<std::pair<at::Tensor, at::Tensor>> saved_;  // asleep, where contents are lost: whatever is somewhere, and a copy on the host
  int updates_ = 0;                                       // begun
  std::map<std::string, at::Tensor> sources_;             // Wrong::source_cached
  std::vector<at::Tensor> foreign_;                       // Wrong::others_kept
  std::set<std::string> heard_;                           // Wrong::learns_first: slots whose loader was called in the first load
  std::vector<model::ParameterPtr> kept_;                 // Wrong::handle_kept
  model::LayerPtr kept_layer_;                            // Wrong::layer_kept
};

}  // namespace reloadlab::mutants
