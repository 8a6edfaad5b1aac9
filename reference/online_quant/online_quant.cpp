#include "reference/online_quant/online_quant.h"

#include "reference/online_quant/whole_model.h"

namespace reloadlab::online_quant {
namespace {

// A layerwise reload records before quantization, restores placeholders in checkpoint format, runs the post-load step on the layer that is
// complete and copies every tensor back that the step made: for a quantized layer that is R1 to R5, one layer at a time.
class LayerByLayer final : public OnlineQuantReload {
 public:
  LayerByLayer(const OnlineQuantPolicy& policy, const OnlineQuantOptions& options) : reload_(policy.of_layers(), options) {}

  Status record(model::Model& model) override { return reload_.record(model); }
  Status first_load_done(model::Model& model) override { return reload_.first_load_done(model); }
  Status prepare(model::Model& model) override { return reload_.prepare(model); }
  Status finish(model::Model& model, DType dtype) override { return reload_.finish(model, dtype); }
  Status abort(model::Model& model) override { return reload_.abort(model); }
  Status sleep(model::Model& model, bool keeps_contents) override { return reload_.sleep(model, keeps_contents); }
  Status wake(model::Model& model) override { return reload_.wake(model); }
  bool unusable() const override { return reload_.unusable(); }

 private:
  layerwise::LayerwiseReload reload_;
};

}  // namespace

std::unique_ptr<OnlineQuantReload> make_online_quant(const OnlineQuantPolicy& policy, const OnlineQuantOptions& options) {
  if (policy.scope == Scope::layer) return std::make_unique<LayerByLayer>(policy, options);
  return std::make_unique<WholeModel>(policy);
}

}  // namespace reloadlab::online_quant
