// Everything that build_model() relies on, checked on the plain data of the scenario.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "reference/base/name_hash.h"
#include "reference/base/nearest.h"
#include "reference/model/kind.h"

namespace reloadlab::model {
namespace {

using ByName = std::map<std::string_view, const LayerSpec*>;

Status data(std::string message) { return Status(Code::data, std::move(message)); }

template <class Range>
std::vector<std::string_view> ids(const Range& things, auto id) {
  std::vector<std::string_view> names;
  for (const auto& thing : things) names.push_back(id(thing));
  return names;
}

// A tie is no alias for a method that takes ties; check_tie() sees to it that both ends have that method.
std::vector<SlotSpec> without_taken_ties(std::vector<SlotSpec> slots, const LayerSpec& layer, const QuantInfo& quant) {
  for (SlotSpec& slot : slots)
    if (quant.takes_ties && slot.alias_of && slot.alias_of == layer.tied_to) slot.alias_of.reset();
  return slots;
}

Status check_layer(const LayerSpec& layer, TensorParallel tp) {
  const LayerKind* kind = find_layer_kind(layer.kind);
  if (!kind) {
    auto known = ids(layer_kinds(), [](const LayerKind* each) { return each->id(); });
    return data(fmt::format("{}: there is no layer kind \"{}\"{}", layer.name, layer.kind, did_you_mean(layer.kind, known)));
  }
  for (const KeyInfo& key : kind->keys())
    if (!layer.values.contains(key.name)) return data(fmt::format("{}: {} needs the key {}", layer.name, layer.kind, key.name));
  RELOADLAB_TRY(kind->check(layer, tp));
  const QuantInfo* quant = find_quant_method(layer.quant);
  if (!quant) {
    auto known = ids(quant_methods(), [](const QuantInfo& each) { return each.id; });
    return data(fmt::format("{}: there is no quantization \"{}\"{}", layer.name, layer.quant, did_you_mean(layer.quant, known)));
  }
  return quant->check(without_taken_ties(kind->slots(layer, tp), layer, *quant)).within(layer.name);
}

// The slots of the layer that a path names, or an error that says what is missing.
Result<SlotSpec> slot_at(const ByName& layers, const std::string& path, TensorParallel tp) {
  auto [layer, name] = split_slot_path(path);
  auto found = layers.find(layer);
  if (found == layers.end()) {
    auto known = ids(layers, [](const auto& each) { return each.first; });
    return data(fmt::format("there is no layer \"{}\"{}", layer, did_you_mean(layer, known)));
  }
  const std::vector<SlotSpec> slots = find_layer_kind(found->second->kind)->slots(*found->second, tp);
  if (const SlotSpec* slot = find_slot(slots, name)) return *slot;
  auto known = ids(slots, [](const SlotSpec& each) { return std::string_view(each.name); });
  return data(fmt::format("layer \"{}\" has no tensor \"{}\"{}", layer, name, did_you_mean(name, known)));
}

// A post-load step that replaces the tensor would end the sharing.
Status keeps_handle(const ByName& layers, const std::string& path) {
  const LayerSpec& layer = *layers.at(split_slot_path(path).first);
  return layer.quant == "none" ? Status()
                               : data(fmt::format("layer \"{}\" has quantization {}, which replaces its tensors", layer.name, layer.quant));
}

// Ends of a tie may have the same one, if it takes ties.
Status keeps_tie(const ByName& layers, const LayerSpec& layer) {
  const LayerSpec& there = *layers.at(split_slot_path(*layer.tied_to).first);
  if (find_quant_method(there.quant)->takes_ties || find_quant_method(layer.quant)->takes_ties) {
    if (there.quant == layer.quant) return {};
    return Status(Code::data, fmt::format("layer \"{}\" has quantization {} and this one {}: a tie needs the same on both", there.name,
                                          there.quant, layer.quant));
  }
  return keeps_handle(layers, *layer.tied_to);
}

Status check_tie(const ByName& layers, const LayerSpec& layer, TensorParallel tp) {
  if (!layer.tied_to) return {};
  const std::string what = fmt::format("{}: tied_to {}", layer.name, *layer.tied_to);
  Result<SlotSpec> there = slot_at(layers, *layer.tied_to, tp);
  if (!there.ok()) return there.status().within(what);
  if (there->alias_of) return data(what + ": that one is tied or a view itself");
  Result<SlotSpec> here = slot_at(layers, layer.name + "." + there->name, tp);
  if (!here.ok()) return here.status().within(what);
  RELOADLAB_TRY(keeps_tie(layers, layer).within(what));
  if (here->shape != there->shape || here->dtype != there->dtype) return data(what + ": shapes or dtypes differ");
  return {};
}

// The slot that holds what the path names: of a tied one, that at the other end of the tie.
Result<SlotSpec> held_at(const ByName& layers, const std::string& path, TensorParallel tp) {
  RELOADLAB_ASSIGN(SlotSpec slot, slot_at(layers, path, tp));
  const LayerSpec& layer = *layers.at(split_slot_path(path).first);
  return slot.alias_of && slot.alias_of == layer.tied_to ? slot_at(layers, *layer.tied_to, tp) : Result<SlotSpec>(std::move(slot));
}

// Views resolve, and stay within what they alias. A tie is no view: layers are linked when handles are shared.
Status check_views(const ByName& layers, const ModelSpec& model, const LayerSpec& layer, TensorParallel tp) {
  for (const SlotSpec& slot : find_layer_kind(layer.kind)->slots(layer, tp)) {
    if (!slot.alias_of || slot.alias_of == layer.tied_to) continue;
    const std::string what = fmt::format("{}.{}: view of {}", layer.name, slot.name, *slot.alias_of);
    Result<SlotSpec> there = held_at(layers, resolve_alias(model, layer, *slot.alias_of), tp);
    if (!there.ok()) return there.status().within(what);
    RELOADLAB_TRY(keeps_handle(layers, resolve_alias(model, layer, *slot.alias_of)).within(what));
    if (slot.dtype != there->dtype) return data(what + ": dtypes differ");
    if (there->alias_of || !there->strides.empty()) return data(what + ": that one is a view or has strides of its own");
    if (slot.alias_start + numel(slot.shape) > numel(there->shape)) return data(what + ": it reaches beyond the end");
  }
  return {};
}

// Numbers as they are, or a method that says what it takes to read them.
Status gives_value(const ByName& layers, const std::string& path, const SlotSpec& slot) {
  const LayerSpec& layer = *layers.at(split_slot_path(path).first);
  const bool plain = dtype_size(slot.dtype) > 1;
  if (layer.quant == "none")
    return plain ? Status() : data(fmt::format("layer \"{}\" has it in {} and no quantization", layer.name, dtype_name(slot.dtype)));
  if (find_quant_method(layer.quant)->value_bytes && slot.name == "weight") return {};
  return data(fmt::format("layer \"{}\" has quantization {}, whose values other layers cannot read", layer.name, layer.quant));
}

Status check_references(const ByName& layers, const ModelSpec& model, const LayerSpec& layer, TensorParallel tp) {
  for (const LayerKind::Reference& reference : find_layer_kind(layer.kind)->references(layer, tp)) {
    const std::string what = fmt::format("{}: reads {}", layer.name, reference.slot);
    const std::string path = resolve_alias(model, layer, reference.slot);
    Result<SlotSpec> there = slot_at(layers, path, tp);
    if (!there.ok()) return there.status().within(what);
    if (reference.read == LayerKind::Reference::Read::tensor) RELOADLAB_TRY(keeps_handle(layers, path).within(what));
    if (reference.read == LayerKind::Reference::Read::value) RELOADLAB_TRY(gives_value(layers, path, *there).within(what));
    if (there->shape != reference.shape)
      return data(
          fmt::format("{}: its shape is [{}], expected [{}]", what, fmt::join(there->shape, ", "), fmt::join(reference.shape, ", ")));
  }
  return {};
}

Status check_names(const ModelSpec& spec) {
  std::set<std::string> layers;
  unordered_names<const LayerSpec*> deliveries;
  for (const LayerSpec& layer : spec.layers) {
    if (layer.name.empty() || layer.name.front() == '.' || layer.name.back() == '.' || layer.name.find("..") != std::string::npos)
      return data(fmt::format("\"{}\" is no layer name: expected words with dots between them", layer.name));
    if (!layers.insert(layer.name).second) return data(fmt::format("two layers are called {}", layer.name));
  }
  for (const LayerSpec& layer : spec.layers)
    for (Delivery& delivery : find_layer_kind(layer.kind)->deliveries(layer))
      if (!deliveries.try_emplace(std::move(delivery.name), &layer).second)
        return data(fmt::format("{}: another layer's checkpoint tensor is called {} too", layer.name, delivery.name));
  return {};
}

}  // namespace

Status check_model(const ModelSpec& spec, TensorParallel tp) {
  ByName layers;
  for (const LayerSpec& layer : spec.layers) {
    RELOADLAB_TRY(check_layer(layer, tp));
    layers.emplace(layer.name, &layer);
  }
  RELOADLAB_TRY(check_names(spec));
  for (const LayerSpec& layer : spec.layers) {
    RELOADLAB_TRY(check_tie(layers, layer, tp));
    RELOADLAB_TRY(check_views(layers, spec, layer, tp));
    RELOADLAB_TRY(check_references(layers, spec, layer, tp));
  }
  return {};
}

}  // namespace reloadlab::model
