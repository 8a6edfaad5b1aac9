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

std::vector<LayerPtr> Model::layers() const {
  std::vector<LayerPtr> all;
  append_subtree(root, all);
  return all;
}

LayerPtr Model::find(std::string_view path) const {
  for (const LayerPtr& layer : layers())
    if (layer->path() == path) return layer;
  return nullptr;
}

ParameterPtr Model::find_tensor(std::string_view path) const {
  auto [layer_path, name] = split_slot_path(path);
  LayerPtr layer = find(layer_path);
  return layer ? layer->tensor(name) : nullptr;
}

std::pair<std::string, std::string> split_slot_path(std::string_view path) {
  size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return {std::string(), std::string(path)};
  return {std::string(path.substr(0, dot)), std::string(path.substr(dot + 1))};
}

}  // namespace reloadlab::model
