#include "reference/model/layer.h"

namespace reloadlab::model {
namespace {

void append_subtree(const LayerPtr& layer, std::vector<LayerPtr>& out) {
  for (const LayerPtr& child : layer->children) {
    out.push_back(child);
    append_subtree(child, out);
  }
}

}  // namespace

const Slot* Slots::find(std::string_view name) const {
  for (const Slot& slot : slots_)
    if (slot.name == name) return &slot;
  return nullptr;
}

void Slots::set(std::string_view name, ParameterPtr handle, bool persistent) {
  for (Slot& slot : slots_) {
    if (slot.name != name) continue;
    slot.handle = std::move(handle);
    slot.persistent = persistent;
    return;
  }
  slots_.push_back({std::string(name), std::move(handle), persistent});
}

bool Slots::erase(std::string_view name) {
  return std::erase_if(slots_, [&](const Slot& slot) { return slot.name == name; }) > 0;
}

Layer::Layer(LayerSpec layer_spec, std::string name_of_class) : spec(std::move(layer_spec)), class_name(std::move(name_of_class)) {}

ParameterPtr Layer::tensor(std::string_view name) const {
  if (const Slot* slot = parameters.find(name)) return slot->handle;
  if (const Slot* slot = buffers.find(name)) return slot->handle;
  return nullptr;
}

void Layer::assign(std::string_view name, ParameterPtr handle) {
  if (const Slot* slot = buffers.find(name)) {
    buffers.set(name, std::move(handle), slot->persistent);
  } else {
    parameters.set(name, std::move(handle));
  }
}

bool Layer::erase(std::string_view name) { return parameters.erase(name) || buffers.erase(name); }

const std::vector<LayerPtr>& Model::layers() const {
  if (layers_.empty()) append_subtree(root, layers_);
  return layers_;
}

Status around_forward(Layer& layer, const std::function<Status()>& forward) {
  if (layer.hooks.before) RELOADLAB_TRY(layer.hooks.before(layer));
  RELOADLAB_TRY(layer.hooks.around ? layer.hooks.around(layer, forward) : forward());
  return layer.hooks.after ? layer.hooks.after(layer) : Status();
}

Result<at::Tensor> run_layer(Layer& layer, const at::Tensor& input) {
  at::Tensor output;
  RELOADLAB_TRY(around_forward(layer, [&] {
    output = layer.kind->forward(layer, input);
    return Status();
  }));
  return output;
}

LayerPtr Model::find(std::string_view path) const {
  if (by_path_.empty())
    for (const LayerPtr& layer : layers()) by_path_.emplace(layer->path(), &layer);
  auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : *found->second;
}

ParameterPtr Model::find_tensor(std::string_view path) const {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return nullptr;
  LayerPtr layer = find(path.substr(0, dot));
  return layer ? layer->tensor(path.substr(dot + 1)) : nullptr;
}

}  // namespace reloadlab::model
