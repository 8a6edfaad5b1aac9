#pragma once
// Online-quantization reload: high-precision weights flow into a model that holds quantized ones, and are quantized on the way. Rules
// OQ1-OQ6; the policy (policy.h) says what happens where implementations differ.
//
//   record              after construction; scope=layer learns from here on what a first load writes
//   [first load]        goes straight through (OQ2)
//   first_load_done    before the first post-load step: parameters are still in high precision, and are recorded (OQ1)
//   prepare             they come back, uninitialized (R1), with their attributes (R2)
//   loads               any number of calls (R3)
//   finish              quantized (R4), and copied into the tensors that were there before prepare (R5)
//
// A model of which no layer is quantized after loading has nothing to restore: under scope=model loads go straight into its tensors.
//
// Memory, beyond what was there before prepare and until finish returns.
//   scope=model   from prepare on every recorded parameter in high precision; in finish, layer by layer, what quantization makes of
//                 it, from when on the layer's high-precision tensor is gone
//   scope=layer   as in layerwise reload (reference/layerwise/layerwise.h): buffered loads, the layer in process, its backup
//
// Under scope=layer every promise of layerwise.h holds. Under scope=model a call that fails leaves what it had done: fresh parameters
// in place of quantized ones, and the flag process_weights_after_loading_already_called cleared; there is no abort.
#include <memory>

#include "reference/layerwise/layerwise.h"
#include "reference/online_quant/policy.h"

namespace reloadlab::online_quant {

using OnlineQuantOptions = layerwise::LayerwiseOptions;

// One instance serves the model of one rank, on that rank's thread.
class OnlineQuantReload {
 public:
  virtual ~OnlineQuantReload() = default;
  virtual Status record(model::Model& model) = 0;
  virtual Status first_load_done(model::Model& model) = 0;
  virtual Status prepare(model::Model& model) = 0;
  virtual Status finish(model::Model& model, DType dtype) = 0;
  virtual Status abort(model::Model& model) = 0;
  virtual Status sleep(model::Model& model, bool keeps_contents) = 0;
  virtual Status wake(model::Model& model) = 0;
  virtual bool unusable() const = 0;
};

std::unique_ptr<OnlineQuantReload> make_online_quant(const OnlineQuantPolicy& policy, const OnlineQuantOptions& options);

}  // namespace reloadlab::online_quant
