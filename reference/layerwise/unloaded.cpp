#include "reference/layerwise/unloaded.h"

#include <fmt/format.h>

#include "reference/layerwise/shadow.h"
#include "reference/layerwise/storage.h"
#include "reference/model/padding.h"
#include "reference/model/post_load.h"

namespace reloadlab::layerwise {
namespace {

const StorageProgress* progress_of(const Core& core, const RecordedTensor& recorded) {
  return recorded.storage ? static_cast<const StorageProgress*>(core.tracker.find(recorded.storage->placeholder)) : nullptr;
}

// How much of a tensor came. Where only numbers are kept nobody knows, short of everything.
struct Extent {
  bool whole = false;         // every element
  bool all_loadable = false;  // every element that a complete checkpoint writes
};

// The bytes of an expanded constant, each once.
at::Tensor without_expansion(at::Tensor tensor) {
  for (int64_t dim = tensor.dim() - 1; dim >= 0; --dim)
    if (tensor.stride(dim) == 0) tensor = tensor.select(dim, 0);
  return tensor;
}

Extent extent_of(const Core& core, const Group& group, const RecordedTensor& recorded) {
  const StorageProgress* progress = progress_of(core, recorded);
  if (!progress) return {.whole = false, .all_loadable = group.progress->would_complete()};
  std::vector<Footprint> footprints;
  if (!append_footprints(without_expansion(recorded.placeholder), footprints).ok()) return {};
  Extent extent{.whole = true, .all_loadable = true};
  for (const Footprint& footprint : footprints) {
    progress->for_each_unwritten(footprint, [&](const Footprint& gap) {
      extent.whole = false;
      if (progress->loadable->covered(gap) > 0) extent.all_loadable = false;
    });
  }
  return extent;
}

// The old values in checkpoint layout, from the kernel tensor or from the shadow; undefined when they cannot be had. After an update
// that broke off in the middle only what no checkpoint writes is still what it was.
at::Tensor old_values(const Core& core, const Member& member, const model::Layer& layer, const RecordedSlot& slot, Extent extent) {
  if (core.is_spoiled(member.layer.lock()) && !extent.all_loadable) return {};
  if (!permutes_at_most(layer, slot)) return shadow_of(*member.record, slot.name);
  const model::Slot* kernel = (slot.parameter ? member.kernel_parameters : member.kernel_buffers).find(slot.name);
  if (!kernel || !kernel->handle) return {};
  const at::Tensor& processed = kernel->handle->tensor;
  at::Tensor values = layer.quant_method && !slot.skipped ? layer.quant_method->checkpoint_layout(slot.name, processed) : processed;
  const at::Tensor& placeholder = slot.tensor->placeholder;
  return values.sizes() == placeholder.sizes() && values.scalar_type() == placeholder.scalar_type() ? values : at::Tensor();
}

Status fill_slot(const Core& core, const Group& group, const Member& member, const RecordedSlot& slot) {
  const Extent extent = extent_of(core, group, *slot.tensor);
  // Loaders may look at skipped tensors at any time; what has landed is in the kernel tensor.
  if (extent.whole && !slot.skipped && !group.landed) return {};
  const model::LayerPtr layer = member.layer.lock();
  const model::ParameterPtr handle = layer->tensor(slot.name);
  if (at::Tensor values = old_values(core, member, *layer, slot, extent); values.defined()) {
    copy_content(handle->tensor, values);
    return {};
  }
  if (const auto pad = model::declared_padding(*handle); pad && extent.all_loadable) {
    handle->tensor.fill_(*pad);
    return {};
  }
  return Status(Code::rejected,
                fmt::format("{}.{} did not come whole, and what did not come cannot be kept: {}", member.path(), slot.name,
                            core.is_spoiled(layer) ? "the old weights are gone" : "its post-load step does more than permute"));
}

}  // namespace

Status fill_unloaded(const Core& core, Group& group) {
  if (core.policy.unloaded == Unloaded::uninitialized) return {};
  for (const Member& member : group.members)
    for (const RecordedSlot& slot : member.record->slots)
      if (slot.tensor) RELOADLAB_TRY(fill_slot(core, group, member, slot));
  return {};
}

}  // namespace reloadlab::layerwise
