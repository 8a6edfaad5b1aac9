// How a session sleeps and wakes, as an engine does: the candidate is told, then the memory goes and comes.
#include <ATen/EmptyTensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>

#include "reference/base/check.h"
#include "sim/replay/session.h"

namespace reloadlab::sim {
namespace {

// The bytes between a tensor's first and last element, whatever its strides.
at::Tensor as_bytes(const at::Tensor& tensor) {
  const auto item = static_cast<int64_t>(tensor.itemsize());
  const auto size = static_cast<int64_t>(at::detail::computeStorageNbytes(tensor.sizes(), tensor.strides(), tensor.itemsize(), 0));
  return at::empty({0}, tensor.options().dtype(at::kByte)).set_(tensor.storage(), tensor.storage_offset() * item, {size}, {1});
}

bool has_bytes(const model::ParameterPtr& handle) {
  return handle && handle->tensor.defined() && handle->tensor.has_storage() && !handle->tensor.is_meta() && handle->tensor.numel() > 0;
}

}  // namespace

Status RankSession::sleep(const Step& step) {
  if (asleep_) return {Code::failed, "the model sleeps already"};
  RELOADLAB_CHECK(pool_, "sleep in a world whose memory stays");
  if (series_) RELOADLAB_TRY(series_->sleep(step.level == 1));
  if (reloader_) RELOADLAB_TRY(supervised([&] { return reloader_->sleep(*model_, step.level == 1); }));
  AccountScope nobody(nullptr);
  const c10::DeviceGuard device(stage_.world.device(rank_));
  if (step.level == 2) save_buffers();
  std::vector<std::pair<std::string, at::Tensor>> names;
  for (const model::LayerPtr& layer : model_->layers()) {
    model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
      if (has_bytes(slot.handle)) names.emplace_back(layer->path() + "." + slot.name, slot.handle->tensor);
    });
    for (const auto& [name, tensor] : layer->extra.tensors)
      if (tensor.defined() && !tensor.is_meta()) names.emplace_back(layer->path() + ".extra:" + name, tensor);
  }
  for (const auto& [name, tensor] : process_tables_) names.emplace_back("process:" + name, tensor);
  pool_->sleep(step.level == 1, std::move(names));
  asleep_ = true;
  return {};
}

Status RankSession::wake() {
  if (!asleep_) return {Code::failed, "the model does not sleep"};
  {
    AccountScope nobody(nullptr);
    const c10::DeviceGuard device(stage_.world.device(rank_));
    look_for_touches();
    pool_->wake();
    asleep_ = false;
    bring_buffers_back();
  }
  if (reloader_) RELOADLAB_TRY(supervised([&] { return reloader_->wake(*model_); }));
  return series_ ? series_->wake() : Status();
}

void RankSession::look_for_touches() {
  if (std::string touched = pool_->touched(); outcome_.touched_asleep.empty()) outcome_.touched_asleep = std::move(touched);
}

// What engines call named buffers: those that layers have registered.
void RankSession::save_buffers() {
  for (const model::LayerPtr& layer : model_->layers())
    for (const model::Slot& slot : layer->buffers)
      if (has_bytes(slot.handle))
        saved_.push_back({layer->path() + "." + slot.name, as_bytes(slot.handle->tensor).to(at::kCPU, false, true)});
}

void RankSession::bring_buffers_back() {
  auto next = saved_.begin();
  for (const model::LayerPtr& layer : model_->layers())
    for (const model::Slot& slot : layer->buffers) {
      if (next == saved_.end() || next->path != layer->path() + "." + slot.name || !has_bytes(slot.handle)) continue;
      at::Tensor bytes = as_bytes(slot.handle->tensor);
      if (bytes.sizes() == next->bytes.sizes()) bytes.copy_(next->bytes);
      ++next;
    }
  saved_.clear();
}

}  // namespace reloadlab::sim
