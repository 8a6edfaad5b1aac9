#include <fmt/format.h>

#include "reference/base/check.h"
#include "reference/model/layer.h"
#include "reference/model/post_load.h"

namespace reloadlab::model {
namespace {

// A layer hangs below the layer whose path is the longest proper prefix of its own, and below the root otherwise.
LayerPtr parent_of(const Model& model, const std::map<std::string, LayerPtr, std::less<>>& built, std::string_view path) {
  for (size_t dot = path.rfind('.'); dot != std::string_view::npos; dot = path.rfind('.', dot - 1)) {
    auto found = built.find(path.substr(0, dot));
    if (found != built.end()) return found->second;
    if (dot == 0) break;
  }
  return model.root;
}

void share_tied(const Model& model, Layer& layer) {
  if (!layer.spec.tied_to) return;
  ParameterPtr shared = model.find_tensor(*layer.spec.tied_to);
  RELOADLAB_CHECK(shared, fmt::format("layer {}: nothing is called {}", layer.path(), *layer.spec.tied_to));
  layer.assign(split_slot_path(*layer.spec.tied_to).second, shared);
}

}  // namespace

std::unique_ptr<Model> build_model(const ModelSpec& spec, TensorParallel tp) {
  auto model = std::make_unique<Model>();
  model->spec = spec;
  model->tp = tp;
  model->root = std::make_shared<Layer>(LayerSpec{.kind = "model"}, "Model");
  std::map<std::string, LayerPtr, std::less<>> built;
  for (const LayerSpec& layer_spec : spec.layers) {
    const LayerKind* kind = find_layer_kind(layer_spec.kind);
    RELOADLAB_CHECK(kind, "unknown layer kind " + layer_spec.kind);
    LayerPtr layer = kind->build(layer_spec, tp);
    layer->tp = tp;
    layer->quant_method = find_quant_method(layer_spec.quant)->make();
    parent_of(*model, built, layer_spec.name)->children.push_back(layer);
    built.emplace(layer_spec.name, layer);
    share_tied(*model, *layer);
  }
  return model;
}

}  // namespace reloadlab::model
