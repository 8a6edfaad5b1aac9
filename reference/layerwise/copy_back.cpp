#include "reference/layerwise/copy_back.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reference/layerwise/backup.h"
#include "reference/layerwise/storage.h"

namespace reloadlab::layerwise {
namespace {

struct Copy {
  at::Tensor kernel, source;
};

Status fits(std::string_view name, const at::Tensor& kernel, const at::Tensor& source) {
  if (kernel.sizes() == source.sizes() && kernel.scalar_type() == source.scalar_type() && kernel.device() == source.device()) return {};
  return Status(Code::rejected,
                fmt::format("{}: processing left {}{}, the kernel tensor is {}{}", name, c10::toString(source.scalar_type()),
                            c10::str(source.sizes()), c10::toString(kernel.scalar_type()), c10::str(kernel.sizes())));
}

template <class Fn>
Status for_each_kernel(const Member& member, Fn&& fn) {
  for (const model::Slots* slots : {&member.kernel_parameters, &member.kernel_buffers})
    for (const model::Slot& slot : *slots)
      if (Status status = slot.handle ? fn(slot) : Status(); !status.ok()) return status;
  return {};
}

// A kernel tensor that neither the record nor the post-load step knows (registered by a forward) is left as it is.
Status plan_copy(const Member& member, const model::Layer& layer, const model::Slot& kernel, std::vector<Copy>& copies) {
  const model::ParameterPtr processed = layer.tensor(kernel.name);
  const std::string name = fmt::format("{}.{}", member.path(), kernel.name);
  if (!processed && member.record->find(kernel.name)) return Status(Code::rejected, name + ": processing removed it");
  if (!processed || processed == kernel.handle) return {};
  RELOADLAB_TRY(fits(name, kernel.handle->tensor, processed->tensor));
  copies.push_back({kernel.handle->tensor, processed->tensor});
  return {};
}

// A processed tensor that the kernel does not have would be lost.
Status nothing_new(const Member& member, const model::Layer& layer) {
  std::string added;
  model::for_each_tensor(layer, [&](const model::Slot& slot, bool parameter) {
    const model::Slot* kernel = (parameter ? member.kernel_parameters : member.kernel_buffers).find(slot.name);
    if (!kernel || !kernel->handle) added = slot.name;
  });
  if (added.empty()) return {};
  return Status(Code::rejected, fmt::format("{}.{}: processing made it, the model has no such tensor", member.path(), added));
}

// Every name is checked before the first copy.
Status plan(const Group& group, std::vector<Copy>& copies) {
  std::set<const model::Parameter*> seen;
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    RELOADLAB_TRY(nothing_new(member, *layer));
    RELOADLAB_TRY(for_each_kernel(member, [&](const model::Slot& slot) {
      return seen.insert(slot.handle.get()).second ? plan_copy(member, *layer, slot, copies) : Status();
    }));
  }
  return {};
}

Status copy_exactly(Group& group) {
  std::vector<Copy> copies;
  RELOADLAB_TRY(plan(group, copies));
  group.kernel_written = true;
  for (const Copy& copy : copies) copy_content(copy.kernel, copy.source);
  return {};
}

// LW6 as it is: name after name, broadcasting and casting.
Status copy_coerced(Group& group) {
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    RELOADLAB_TRY(for_each_kernel(member, [&](const model::Slot& slot) -> Status {
      const model::ParameterPtr processed = layer->tensor(slot.name);
      if (!processed) return Status(Code::failed, fmt::format("{} has no tensor called {}", member.path(), slot.name));
      group.kernel_written = true;
      slot.handle->tensor.copy_(processed->tensor);
      return {};
    }));
  }
  return {};
}

// Copies what replaced a helper tensor into the one that was there; `overwrites` is told which one that is, before. One that its owner
// took along stays: somebody may hold its address.
template <class Fn>
void keep_extra(model::Layer& layer, const model::ExtraState& before, Fn&& overwrites) {
  for (auto& [name, tensor] : layer.extra.tensors) {
    auto old = before.tensors.find(name);
    if (old == before.tensors.end() || old->second.is_same(tensor) || !same_layout(old->second, tensor)) continue;
    overwrites(old->second);
    copy_content(old->second, tensor);
    tensor = old->second;
  }
  for (const auto& [name, tensor] : before.tensors) layer.extra.tensors.try_emplace(name, tensor);
}

// What a helper refers to may be a tensor of the layer, which has its copy already.
bool is_kernel(const Member& member, const at::Tensor& helper) {
  const auto shares = [&](const model::Slot& slot) {
    return slot.handle && slot.handle->tensor.defined() && slot.handle->tensor.is_alias_of(helper);
  };
  return std::ranges::any_of(member.kernel_parameters, shares) || std::ranges::any_of(member.kernel_buffers, shares);
}

Status keep_slots(model::Slots& now, const model::Slots& before) {
  for (const model::Slot& slot : before) {
    const model::Slot* current = now.find(slot.name);
    if (!slot.handle || !current || current->handle == slot.handle) continue;
    if (current->handle) {
      RELOADLAB_TRY(fits(slot.name, slot.handle->tensor, current->handle->tensor));
      slot.handle->tensor.copy_(current->handle->tensor);
    }
    now.set(slot.name, slot.handle, slot.persistent);
  }
  return {};
}

}  // namespace

Status copy_back(const Core& core, Group& group) {
  RELOADLAB_TRY(core.policy.copy_back == CopyBack::exact ? copy_exactly(group) : copy_coerced(group));
  if (core.policy.derived == Derived::in_turn) return {};
  const bool backup = core.policy.abort == Abort::backup;
  for (const Member& member : group.members)
    keep_extra(*member.layer.lock(), member.kernel_extra, [&](const at::Tensor& helper) {
      if (backup && !is_kernel(member, helper)) back_up(group, helper);
    });
  return {};
}

Status run_in_place(model::Layer& layer, c10::function_ref<Status()> step) {
  const model::Slots parameters = layer.parameters, buffers = layer.buffers;
  const model::ExtraState extra = layer.extra;
  std::vector<at::Tensor> tensors;
  auto each = [&](auto&& fn) {
    for (const model::Slots* slots : {&parameters, &buffers})
      for (const model::Slot& slot : *slots)
        if (slot.handle) fn(*slot.handle);
  };
  each([&](const model::Parameter& handle) { tensors.push_back(handle.tensor); });
  RELOADLAB_TRY(step());
  size_t next = 0;
  each([&](model::Parameter& handle) {
    const at::Tensor& before = tensors[next++];
    if (handle.tensor.is_same(before)) return;
    copy_content(before, handle.tensor);
    handle.tensor = before;
  });
  RELOADLAB_TRY(keep_slots(layer.parameters, parameters));
  RELOADLAB_TRY(keep_slots(layer.buffers, buffers));
  keep_extra(layer, extra, [](const at::Tensor&) {});
  return {};
}

}  // namespace reloadlab::layerwise
