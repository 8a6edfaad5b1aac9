#include <fmt/format.h>

#include "reference/base/check.h"
#include "reference/base/out_of_memory.h"
#include "reference/model/layer.h"
#include "reference/model/post_load.h"

namespace reloadlab::model {
namespace {

using Built = std::unordered_map<std::string_view, Layer*>;

// A layer hangs below the layer whose path is the longest proper prefix of its own, and below the root otherwise.
Layer& parent_of(Model& model, const Built& built, std::string_view path) {
  for (size_t dot = path.rfind('.'); dot != std::string_view::npos && dot > 0; dot = path.rfind('.', dot - 1)) {
    auto found = built.find(path.substr(0, dot));
    if (found != built.end()) return *found->second;
  }
  return *model.root;
}

void share_tied(const Model& model, Layer& layer) {
  if (!layer.spec.tied_to) return;
  ParameterPtr shared = model.find_tensor(*layer.spec.tied_to);
  RELOADLAB_CHECK(shared, fmt::format("layer {}: nothing is called {}", layer.path(), *layer.spec.tied_to));
  layer.assign(std::string_view(*layer.spec.tied_to).substr(layer.spec.tied_to->rfind('.') + 1), shared);
}

LayerPtr build_layer(const LayerSpec& spec, TensorParallel tp) try {
  const LayerKind* kind = find_layer_kind(spec.kind);
  const QuantInfo* quant = find_quant_method(spec.quant);
  RELOADLAB_CHECK(kind && quant, fmt::format("layer {}: unknown kind {} or quantization {}", spec.name, spec.kind, spec.quant));
  LayerPtr layer = kind->build(spec, tp);
  layer->kind = kind;
  layer->quant_method = quant->make();
  return layer;
} catch (const std::bad_alloc& error) {
  throw OutOfMemory(fmt::format("layer {}: {}", spec.name, error.what()));
}

}  // namespace

std::unique_ptr<Model> build_model(const ModelSpec& spec, TensorParallel tp) {
  auto model = std::make_unique<Model>();
  model->spec = spec;
  model->tp = tp;
  model->flags = spec.flags;
  model->root = std::make_shared<Layer>(LayerSpec{.kind = "model"}, "Model");
  Built built;
  for (const LayerSpec& layer_spec : model->spec.layers) {
    LayerPtr layer = build_layer(layer_spec, tp);
    parent_of(*model, built, layer_spec.name).children.push_back(layer);
    built.emplace(layer_spec.name, layer.get());
  }
  for (const LayerPtr& layer : model->layers()) share_tied(*model, *layer);
  for (const LayerPtr& layer : model->layers()) layer->kind->link(*layer, *model);
  return model;
}

}  // namespace reloadlab::model
