// A reload from a checkpoint. Each layer gets the tensors that it was registered with, new ones; when everything has come, layers go
// one by one the way of SW2, and the results are copied into the processed tensors, which stay where they are.
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/device.h"
#include "reference/model/padding.h"
#include "reference/shared_series/core.h"

namespace reloadlab::shared_series {
namespace {

void put(model::Layer& layer, const Template& slot, model::ParameterPtr handle) {
  if (slot.parameter) {
    layer.parameters.set(slot.name, std::move(handle));
  } else {
    layer.buffers.set(slot.name, std::move(handle), slot.persistent);
  }
}

const model::Slot* find(const Processed& processed, std::string_view name) {
  if (const model::Slot* slot = processed.parameters.find(name)) return slot;
  return processed.buffers.find(name);
}

// Where a checkpoint may bring nothing (a bias, a buffer), the layer keeps what it has.
void keep_old(at::Tensor& fresh, const model::QuantMethod* method, std::string_view name, const model::Slot* old) {
  if (!old || !old->handle || !old->handle->tensor.defined()) return;
  const at::Tensor before = method ? method->checkpoint_layout(name, old->handle->tensor) : old->handle->tensor;
  if (before.sizes() == fresh.sizes() && before.scalar_type() == fresh.scalar_type()) fresh.copy_(before);
}

}  // namespace

void Series::open_layer(Member& member) {
  model::Layer& layer = *member.layer;
  member.processed = Processed{layer.parameters, layer.buffers, layer.extra};
  member.loads.clear();
  layer.parameters = layer.buffers = model::Slots();
  for (const Template& slot : member.templates) {
    model::ParameterPtr handle = slot.made ? std::make_shared<model::Parameter>(*slot.made) : nullptr;
    const bool elsewhere = slot.name == "weight" && !member.mine;
    if (handle && slot.layout) handle->tensor = elsewhere ? make_on(c10::kMeta, *slot.layout) : make(*slot.layout);
    if (const auto pad = handle && slot.layout ? model::declared_padding(*handle) : std::nullopt) handle->tensor.fill_(*pad);
    if (handle && slot.layout && slot.name != "weight")
      keep_old(handle->tensor, member.step.get(), slot.name, find(*member.processed, slot.name));
    put(layer, slot, std::move(handle));
  }
}

// The layer has its processed tensors again, whatever they hold.
void Series::close_layer(Member& member) {
  if (!member.processed) return;
  member.layer->parameters = std::move(member.processed->parameters);
  member.layer->buffers = std::move(member.processed->buffers);
  member.layer->extra = std::move(member.processed->extra);
  member.processed = std::nullopt;
}

Status Series::check_loads() const {
  for (const Member& member : members_)
    if (member.loads.empty() || !std::ranges::includes(member.loads, member.loads_first))
      return {Code::rejected, fmt::format("of {} came {}, {} in the first load: the old weights stay", member.layer->path(),
                                          count_of(member.loads), member.loads_first.size())};
  return {};
}

// A failure after the first layer leaves weights of two versions.
Status Series::take_checkpoint() {
  RELOADLAB_TRY(check_loads());
  version_ = announced_;
  torn_ = true;
  for (Member& member : members_) {
    const model::ParameterPtr weight = member.layer->tensor("weight");
    if (!member.mine) weight->tensor = make(member.registered);
    RELOADLAB_TRY(process(member, weight->tensor));
    RELOADLAB_TRY(commit(member));
  }
  return {};
}

Status Series::commit(Member& member) {
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;  // what is new, and where it goes
  Status outcome;
  size_t found = 0;
  model::for_each_tensor(*member.layer, [&](const model::Slot& slot, bool) {
    const model::Slot* old = find(*member.processed, slot.name);
    if (!old || !old->handle) outcome = {Code::failed, fmt::format("{} has a new tensor {}", member.layer->path(), slot.name)};
    if (!outcome.ok()) return;
    ++found;
    const bool weight = old->handle == member.weight;
    const at::Tensor &fresh = slot.handle->tensor, &kept = old->handle->tensor;
    const Strided wanted = weight ? strided(ring_.windows.front().memory) : strided(kept);
    if (strided(fresh) != wanted)
      outcome = {Code::failed,
                 fmt::format("{} of {} is {} and was {}", slot.name, member.layer->path(), describe(strided(fresh)), describe(wanted))};
    if (member.mine || !weight) copies.emplace_back(fresh, kept);
  });
  RELOADLAB_TRY(Status(outcome));
  if (found != member.processed->tensors()) return {Code::failed, fmt::format("{} has lost a tensor", member.layer->path())};
  for (auto& [fresh, kept] : copies) kept.copy_(fresh);
  commit_extra(member);
  close_layer(member);
  return {};
}

// A kernel object that stays reads the tensors that stay; what it owns takes the new values.
void Series::commit_extra(Member& member) {
  model::ExtraState& old = member.processed->extra;
  const model::ExtraState& fresh = member.layer->extra;
  old.host = fresh.host;
  for (auto& [name, tensor] : old.tensors) {
    const auto found = fresh.tensors.find(name);
    const bool slot = std::ranges::any_of(member.processed->parameters,
                                          [&](const model::Slot& one) { return one.handle && one.handle->tensor.is_same(tensor); });
    if (found != fresh.tensors.end() && !slot && strided(found->second) == strided(tensor)) tensor.copy_(found->second);
  }
}

}  // namespace reloadlab::shared_series
