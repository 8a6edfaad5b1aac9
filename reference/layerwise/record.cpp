#include "reference/layerwise/record.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <array>

#include "reference/layerwise/core.h"
#include "reference/layerwise/gate.h"
#include "reference/layerwise/storage.h"
#include "reference/model/kind.h"
#include "reference/model/post_load.h"

namespace reloadlab::layerwise {
namespace {

constexpr std::array<std::string_view, 1> skipped_classes{"HadamardTransform"};
constexpr std::array<std::string_view, 5> skipped_names{"_expert_map", "expert_mask", "expert_global_to_physical",
                                                        "expert_physical_to_global", "expert_local_to_global"};

// The way of a tensor to the meta device that keeps strides of dense tensors only.
at::Tensor to_meta(const at::Tensor& tensor) {
  return at::empty_like(tensor, tensor.options().device(at::kMeta), at::MemoryFormat::Preserve);
}

int64_t read_bytes(const model::Model& model, const model::Layer& layer) {
  int64_t bytes = 0;
  if (!layer.kind) return bytes;
  for (const model::LayerKind::Reference& reference : layer.kind->references(layer.spec, layer.tp)) {
    if (reference.read != model::LayerKind::Reference::Read::value) continue;
    const std::string path = model::split_slot_path(model::resolve_alias(model.spec, layer.spec, reference.slot)).first;
    const model::LayerPtr there = model.find(path);
    const model::QuantInfo* quant = there && there->quant_method ? model::find_quant_method(there->quant_method->id()) : nullptr;
    if (quant && quant->value_bytes) bytes += quant->value_bytes(there->kind->slots(there->spec, there->tp));
  }
  return bytes;
}

model::LoaderPtr without_own_layer(const model::LoaderPtr& loader, const model::LayerPtr& layer) {
  return loader && loader->is_method && loader->self.lock() == layer ? model::unbind_loader(loader) : loader;
}

}  // namespace

bool skips_layer(const model::Layer& layer) { return std::ranges::find(skipped_classes, layer.class_name) != skipped_classes.end(); }
bool skips_tensor(std::string_view name) { return std::ranges::find(skipped_names, name) != skipped_names.end(); }

model::ParameterPtr RecordedTensor::fresh() const {
  return std::make_shared<model::Parameter>(
      model::Parameter{tensor_on(storage->placeholder, placeholder), tensor_class, attributes, loader, {}});
}

const RecordedSlot* LayerRecord::find(std::string_view name) const {
  for (const RecordedSlot& slot : slots)
    if (slot.name == name) return &slot;
  return nullptr;
}

namespace {

template <class Records>
auto place_of(Records& records, const model::LayerPtr& layer) {
  return std::ranges::lower_bound(
      records, layer, std::owner_less<>(), [](const auto& entry) -> const auto& { return entry.first; });
}

}  // namespace

std::shared_ptr<LayerRecord> Registry::find(const model::LayerPtr& layer) const {
  const auto found = place_of(records_, layer);
  return found == records_.end() || std::owner_less<>()(layer, found->first) ? nullptr : found->second;
}

std::shared_ptr<LayerRecord> Registry::make(const model::LayerPtr& layer) {
  return records_.emplace(place_of(records_, layer), layer, std::make_shared<LayerRecord>(LayerRecord{.path = layer->path()}))->second;
}

std::vector<std::shared_ptr<LayerRecord>> Registry::purge() {
  std::vector<std::shared_ptr<LayerRecord>> dead;
  std::erase_if(records_, [&](auto& entry) {
    if (entry.first.expired()) dead.push_back(std::move(entry.second));
    return entry.first.expired();
  });
  return dead;
}

size_t Registry::size() const {
  return static_cast<size_t>(std::count_if(records_.begin(), records_.end(), [](const auto& entry) { return !entry.first.expired(); }));
}

void Recorder::record(const model::LayerPtr& layer, LayerRecord& record) {
  const bool skips_all = skips_layer(*layer), leaves_out = policy_.records == Records::lent;
  if (skips_all && leaves_out) return;
  auto add = [&](const model::Slots& slots, bool parameter) {
    for (const model::Slot& slot : slots) {
      if (record.find(slot.name)) continue;
      const bool skipped = skips_all || skips_tensor(slot.name);
      const bool lazy = slot.handle && !slot.handle->tensor.defined() && policy_.records == Records::sealed;
      const bool stands_in = slot.handle && !lazy && !(skipped && leaves_out);
      record.slots.push_back({.name = slot.name,
                              .parameter = parameter,
                              .persistent = slot.persistent,
                              .tensor = stands_in ? placeholder_of(layer, slot, parameter) : nullptr,
                              .skipped = skipped});
    }
  };
  add(layer->parameters, true);
  add(layer->buffers, false);
}

std::shared_ptr<RecordedTensor> Recorder::placeholder_of(const model::LayerPtr& layer, const model::Slot& slot, bool parameter) {
  std::shared_ptr<RecordedTensor> recorded = policy_.records == Records::sealed ? sealed(*slot.handle) : lent(*slot.handle, layer);
  recorded->parameter = recorded->parameter && parameter;
  return recorded;
}

// What has no shape yet stands for itself.
std::shared_ptr<RecordedTensor> Recorder::lent(const model::Parameter& handle, const model::LayerPtr& layer) {
  at::Tensor placeholder;
  if (handle.tensor.defined()) placeholder = policy_.layout == Layout::dense ? to_meta(handle.tensor) : exact_meta(handle.tensor);
  return std::make_shared<RecordedTensor>(RecordedTensor{.placeholder = std::move(placeholder),
                                                         .tensor_class = handle.tensor_class,
                                                         .attributes = handle.attributes,
                                                         .loader = without_own_layer(handle.loader, layer)});
}

std::shared_ptr<RecordedTensor> Recorder::sealed(const model::Parameter& handle) {
  auto& recorded = handles_[&handle];
  if (recorded) return recorded;
  recorded = std::make_shared<RecordedTensor>(
      RecordedTensor{.tensor_class = handle.tensor_class, .attributes = handle.attributes, .loader = ungated(handle.loader)});
  recorded->storage = storage_of(handle.tensor);
  recorded->placeholder = tensor_on(recorded->storage->placeholder, handle.tensor);
  return recorded;
}

std::shared_ptr<RecordedStorage> Recorder::storage_of(const at::Tensor& tensor) {
  auto& storage = storages_[tensor.storage().unsafeGetStorageImpl()];
  if (storage) return storage;
  storage = std::make_shared<RecordedStorage>();
  storage->placeholder = at::empty({static_cast<int64_t>(tensor.storage().nbytes())}, at::TensorOptions(at::kByte).device(at::kMeta));
  storage->loadable = WriteSet(IndexSpace(tensor));
  return storage;
}

// LW1
Status record(Core& core, model::Model& model) {
  core.registry.purge();
  if (core.policy.misuse == Misuse::error && core.recorded) return Status(Code::misuse, "the model is recorded already");
  Recorder recorder(core.policy);
  for (const model::LayerPtr& layer : model.layers()) {
    std::shared_ptr<LayerRecord> fresh = core.record_of(layer);
    fresh->slots.clear();
    recorder.record(layer, *fresh);
    fresh->read_bytes = read_bytes(model, *layer);
  }
  core.recorded = true;
  core.default_dtype = model::default_dtype();
  if (core.policy.misuse == Misuse::error) install_gates(core, model);
  return {};
}

}  // namespace reloadlab::layerwise
