#include "reference/model/post_load.h"

#include "reference/model/guard.h"

namespace reloadlab::model {
namespace {

thread_local PostLoadListener* post_load_listener = nullptr;

template <class Step>
Status heard(Layer& layer, Step&& step) {
  Status outcome = post_load_listener ? post_load_listener->enter(layer) : Status();
  if (outcome.ok()) outcome = step();
  if (post_load_listener) post_load_listener->leave(layer, outcome);
  return outcome;
}

}  // namespace

PostLoadScope::PostLoadScope(PostLoadListener& heard) : before_(std::exchange(post_load_listener, &heard)) {}
PostLoadScope::~PostLoadScope() { post_load_listener = before_; }

Status post_load_middle(Layer& layer) { return post_load_listener ? post_load_listener->middle(layer) : Status(); }

Status QuantMethod::process_weights_after_loading(Layer& layer) {
  const Status status = heard(layer, [&] { return process(layer); });
  if (status.ok()) layer.post_load_done = true;
  return status;
}

at::Tensor QuantMethod::checkpoint_layout(std::string_view, const at::Tensor& processed) const { return processed; }

at::Tensor QuantMethod::compute_value(const Layer& layer, std::string_view slot) const {
  return checkpoint_layout(slot, layer.tensor(slot)->tensor);
}

std::vector<Derived> derive_again(const Layer& layer) {
  std::vector<Derived> all;
  const Status status = guarded([&] {
    if (layer.quant_method) all = layer.quant_method->derived(layer);
    if (layer.own_derived)
      for (Derived& each : layer.own_derived(layer)) all.push_back(std::move(each));
    return Status();
  });
  return status.ok() ? all : std::vector<Derived>();
}

Status run_own_post_load(Layer& layer) {
  if (!layer.own_post_load) return {};
  return heard(layer, [&] { return layer.own_post_load(layer); });
}

Status process_model_after_loading(Model& model) {
  const std::vector<LayerPtr> layers = model.layers();
  for (const LayerPtr& layer : layers)
    if (layer->quant_method) RELOADLAB_TRY(layer->quant_method->process_weights_after_loading(*layer));
  for (const LayerPtr& layer : layers) RELOADLAB_TRY(run_own_post_load(*layer));
  return {};
}

}  // namespace reloadlab::model
