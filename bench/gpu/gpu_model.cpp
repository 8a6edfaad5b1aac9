#include "bench/gpu/gpu_model.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>

#include "reference/base/check.h"
#include "reference/model/device.h"
#include "reference/model/kind.h"

namespace reloadlab::bench {
namespace {

constexpr int64_t alignment = 512;  // of a tensor, as the caching allocator would have it

int64_t bytes_of(const model::Delivery& delivery) {
  return numel(delivery.shape) * static_cast<int64_t>(at::elementSize(model::to_torch(delivery.dtype)));
}

int64_t padded(int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

template <class Fn>
void for_each_delivery(const model::ModelSpec& spec, Fn&& fn) {
  for (const model::LayerSpec& layer : spec.layers)
    for (const model::Delivery& delivery : model::find_layer_kind(layer.kind)->deliveries(layer)) fn(layer, delivery);
}

at::Tensor cut(at::Tensor tensor, const Shape& start, const Shape& extent) {
  for (size_t dim = 0; dim < extent.size(); ++dim) tensor = tensor.narrow(static_cast<int64_t>(dim), start[dim], extent[dim]);
  return tensor;
}

}  // namespace

int64_t GpuModel::bytes(const model::ModelSpec& spec) {
  int64_t total = 0;
  for_each_delivery(spec, [&](const auto&, const auto& delivery) { total += padded(bytes_of(delivery)); });
  return total;
}

GpuModel::GpuModel(const model::ModelSpec& spec, Sources sources) : model_(model::build_model(spec, {})) {
  const auto options = sources == Sources::pinned ? at::TensorOptions(at::kByte).pinned_memory(true)
                                                  : at::TensorOptions(at::kByte).device(model::default_device());
  sources_ = at::empty({bytes(spec)}, options);
  int64_t offset = 0;
  for_each_delivery(spec, [&](const auto& layer, const auto& delivery) {
    add(layer, delivery, offset);
    offset += padded(bytes_of(delivery));
  });
  for (int64_t i = 0; i < static_cast<int64_t>(loads_.size()); ++i) loads_[static_cast<size_t>(i)].source.fill_(i % 251 + 1);
}

void GpuModel::add(const model::LayerSpec& layer, const model::Delivery& delivery, int64_t offset) {
  const at::Tensor bytes = sources_.narrow(0, offset, bytes_of(delivery));
  const at::Tensor source = bytes.view(model::to_torch(delivery.dtype)).view(delivery.shape);
  model::Layer* built = model_->find(layer.name).get();
  GpuLoad load{built, delivery.slot, {.shard = delivery.shard, .expert = delivery.expert, .part = delivery.part}, source, {}};
  for (const model::Placement& box : model::find_layer_kind(layer.kind)->placements(layer, delivery, {})) {
    const at::Tensor from = source.view(model::aligned(delivery.shape, box.extent.size()));
    load.copies.emplace_back(cut(built->tensor(delivery.slot)->tensor, box.target_start, box.extent),
                             cut(from, box.source_start, box.extent));
  }
  loads_.push_back(std::move(load));
}

Status GpuModel::send() const {
  for (const GpuLoad& load : loads_) {
    const model::ParameterPtr handle = load.layer->tensor(load.slot);
    const model::LoaderPtr& loader = handle->loader ? handle->loader : model::default_weight_loader();
    RELOADLAB_TRY((*loader)(*handle, load.source, load.args));
  }
  return {};
}

void GpuModel::copy_plainly() const {
  for (const GpuLoad& load : loads_)
    for (const auto& [to, from] : load.copies) to.copy_(from);
}

int64_t GpuModel::wrong() const {
  int64_t wrong = 0;
  for (const GpuLoad& load : loads_)
    for (const auto& [to, from] : load.copies) wrong += !at::equal(to, from.to(to.device()));
  return wrong;
}

void GpuModel::spoil() {
  for (const GpuLoad& load : loads_)
    for (const auto& [to, from] : load.copies) to.zero_();
}

}  // namespace reloadlab::bench
