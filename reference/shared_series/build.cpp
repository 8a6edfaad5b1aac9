#include <ATen/ops/empty_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "reference/model/device.h"
#include "reference/model/guard.h"
#include "reference/shared_series/core.h"

namespace reloadlab::shared_series {

Status Series::finish_loading() {
  // "Once" means that there are windows, also where building them failed.
  const bool again = checked() ? phase_ != Phase::registering : !ring_.windows.empty();
  if (again) return phase_ == Phase::unusable && checked() ? misuse("finish_loading() failed before") : Status();
  std::ranges::stable_sort(members_, {}, &Member::index);
  RELOADLAB_TRY(check_members());
  if (checked()) RELOADLAB_TRY(check_first_load());
  plan();
  ring_.next = WindowSlot{prefetch_};
  phase_ = Phase::unusable;
  for (int64_t offset = 0; offset < count(); ++offset) RELOADLAB_TRY(model::guarded([&] { return build(SeriesOffset{offset}); }));
  if (room_.defined()) dispose(room_);
  phase_ = Phase::running;
  ring_.note_outside(current());
  return end_pass();
}

// Before anything is issued, and the same on all ranks.
Status Series::check_members() const {
  if (members_.empty()) return misuse("a series without layers");
  const int64_t most = std::max<int64_t>(0, count() - 2);
  if (prefetch_ < 0 || prefetch_ > most)
    return misuse(fmt::format("a look-ahead of {} in a series of {} layers: at most {}", prefetch_, count(), most));
  if (checked())
    for (int64_t offset = 0; offset < count(); ++offset) RELOADLAB_TRY(follows({offset}));
  if (policy_.layout == Layout::trusted) return {};
  const Member& first = members_.front();
  for (const Member& one : members_)
    if (one.registered != first.registered)
      return misuse(fmt::format("{} is {} where {} is {}: the layers of a series are alike", one.layer->path(), describe(one.registered),
                                first.layer->path(), describe(first.registered)));
  return {};
}

// Layers that are alike are brought by the same pieces. Where none of them got any, somebody wrote the weights without their loaders.
Status Series::check_first_load() const {
  Pieces all;
  for (const Member& one : members_) all.insert(one.loads.begin(), one.loads.end());
  for (const Member& one : members_)
    if (one.loads != all)
      return {Code::rejected, fmt::format("of {} came {}, and {} of the layers that are like it: what lacks can still come",
                                          one.layer->path(), count_of(one.loads), all.size())};
  return {};
}

Status Series::follows(SeriesOffset offset) const {
  const Member& one = at(offset);
  if (offset_of(one.index) == offset) return {};
  return misuse(fmt::format("layer {} follows layer {}: indices must be consecutive", one.index.value, at({offset.value - 1}).index.value));
}

SeriesOffset Series::target_of(SeriesOffset offset) const {
  if (policy_.binding == Binding::rolling) {
    // The difference between the two is a bug that real rings have: it shows only where s is no multiple of L.
    const int64_t base = policy_.target == Target::absolute ? at(offset).index.value : offset.value;
    return {(base + prefetch_) % count()};
  }
  // The window of the layer before is free now, and goes to the next layer that is bound to it, in this pass or in the next one.
  const int64_t before = (offset.value + count() - 1) % count(), next = before + prefetch_ + 1;
  return {next < count() ? next : before % (prefetch_ + 1)};
}

void Series::plan() {
  for (int64_t offset = 0; offset < count(); ++offset) {
    Member& one = at(SeriesOffset{offset});
    one.target = target_of({offset});
    one.target_slot = {one.target.value % (prefetch_ + 1)};
  }
  // Of the first k + 1 layers, the one that the first reach() fetches has an empty window.
  unfilled_ = {policy_.binding == Binding::rolling ? prefetch_ : at(SeriesOffset{0}).target.value};
}

// One layer of SW2: from its owner to everybody, processed, and into its window or away again.
Status Series::build(SeriesOffset offset) {
  RELOADLAB_TRY(follows(offset));
  Member& one = at(offset);
  if (!one.mine) one.weight->tensor.set_(room_.defined() ? at::empty_like(room_) : make(one.registered));
  RELOADLAB_TRY(process(one, one.weight->tensor));
  if (policy_.handle == Handle::current) one.weight = one.layer->tensor("weight");
  if (policy_.layout == Layout::checked) RELOADLAB_TRY(check_processed(one));
  if (policy_.loads == Loads::in_reload) take_loaders(one);
  one.loads_first = std::exchange(one.loads, {});
  if (offset.value <= prefetch_) open_window(offset);
  if (one.mine) one.wire = {wire_of(one.weight->tensor)};
  if (!one.mine && !one.slot) dispose(one.weight->tensor);
  return {};
}

// Sends the weight that was loaded, and runs the step on it.
Status Series::process(Member& member, const at::Tensor& weight) {
  std::vector<at::Tensor> wire = {wire_of(weight)};
  // What runs on the current stream need not have a Work: NCCL's group gives none.
  if (const auto work = broadcast(member, member.owner, wire, false)) work->wait();
  const model::DeviceScope scope(context_.device);
  return member.step ? member.step->process_weights_after_loading(*member.layer) : Status();
}

void Series::open_window(SeriesOffset offset) {
  Member& one = at(offset);
  at::Tensor& weight = one.weight->tensor;
  const bool filled = offset != unfilled_;
  Window window;
  window.memory = filled ? weight.clone() : at::empty_like(weight);
  window.wire = {wire_of(window.memory)};
  ring_.windows.push_back(std::move(window));
  if (!filled) return;
  ring_.windows.back().tenant = offset;
  ring_.windows.back().version = version_;
  ring_.windows.back().state = SlotState::ready;
  one.slot = WindowSlot{offset.value};
  if (!one.mine) weight.set_(ring_.windows.back().memory);
}

// What windows and broadcasts can do for a processed weight; every rank has one at this moment, and they are alike.
Status Series::check_processed(const Member& member) const {
  const std::string& path = member.layer->path();
  if (!member.weight || !member.weight->tensor.defined()) return misuse(fmt::format("{} has no weight after its post-load step", path));
  const at::Tensor& weight = member.weight->tensor;
  if (!weight.is_non_overlapping_and_dense())
    return misuse(fmt::format("the weight of {} has gaps after its post-load step: {}", path, describe(strided(weight))));
  if (!ring_.windows.empty() && strided(ring_.windows.front().memory) != strided(weight))
    return misuse(fmt::format("the weight of {} becomes {}, that of the first layer {}", path, describe(strided(weight)),
                              describe(strided(ring_.windows.front().memory))));
  auto shares = [&](const at::Tensor& other) { return other.defined() && !other.is_same(weight) && other.is_alias_of(weight); };
  std::string shared;
  model::for_each_tensor(*member.layer, [&](const model::Slot& slot, bool) { shared = shares(slot.handle->tensor) ? slot.name : shared; });
  for (const auto& [name, tensor] : member.layer->extra.tensors) shared = shares(tensor) ? name : shared;
  return shared.empty() ? Status()
                        : misuse(fmt::format("{} of {} is a view into the weight, which moves from window to window", shared, path));
}

}  // namespace reloadlab::shared_series
