#pragma once
// Post-load processing (quantize, repack, permute, derive) belongs to the substrate, as it belongs to the engine's layers and
// quantization methods, not to the reload code. Whoever runs it does so through these calls, so that a listener sees every entry
// and exit and may fail it on purpose.
#include "reference/model/layer.h"

namespace reloadlab::model {

class QuantMethod {
 public:
  virtual ~QuantMethod() = default;
  virtual std::string_view id() const = 0;
  // Turns checkpoint-format tensors of the layer into kernel format, on the device where they are.
  Status process_weights_after_loading(Layer& layer);
  // The processed tensor of that slot, brought back to checkpoint layout.
  virtual at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const;
  // The values that it stands for: with scales applied and padding cut off.
  virtual at::Tensor compute_value(const Layer& layer, std::string_view slot) const;
  // What the step derives from tensors that it leaves in the layer. A scale is none: what it came from is gone.
  virtual std::vector<Derived> derived(const Layer&) const { return {}; }

 protected:
  virtual Status process(Layer& layer) = 0;
};

// Everything that the layer's post-load steps have derived from tensors that are still there, computed once more. Works on copies, and
// allocates what it gives back. Empty while a reload has taken sources away.
std::vector<Derived> derive_again(const Layer& layer);

// Runs the deferred layer's own step; ok when it has none.
Status run_own_post_load(Layer& layer);

// What engines do after the first load: every layer's quantization method in module order, then the deferred layers' own steps.
Status process_model_after_loading(Model& model);

// Sees post-load steps. enter() may return a failure, which then is the step's result; middle() is called by methods between two
// of their writes.
class PostLoadListener {
 public:
  virtual ~PostLoadListener() = default;
  virtual Status enter(Layer& layer) = 0;
  virtual Status middle(Layer& layer) = 0;
  virtual void leave(Layer& layer, const Status& outcome) = 0;
};

// Makes a listener the calling thread's for its lifetime; the one before comes back after it.
class PostLoadScope {
 public:
  explicit PostLoadScope(PostLoadListener& listener);
  ~PostLoadScope();
  PostLoadScope(const PostLoadScope&) = delete;
  PostLoadScope& operator=(const PostLoadScope&) = delete;

 private:
  PostLoadListener* before_;
};

// For methods: call between two writes.
Status post_load_middle(Layer& layer);

}  // namespace reloadlab::model
