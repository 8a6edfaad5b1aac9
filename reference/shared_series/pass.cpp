#include <fmt/format.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "reference/model/guard.h"
#include "reference/shared_series/core.h"

namespace reloadlab::shared_series {

Status Series::reach(LayerIndex index) {
  RELOADLAB_TRY(known(index));
  const SeriesOffset offset = offset_of(index);
  const SeriesOffset target = at(offset).target;
  if (checked()) RELOADLAB_TRY(may_reach(offset));
  const WindowSlot slot = policy_.binding == Binding::rolling ? ring_.next : at(offset).target_slot;
  if (slot.value >= static_cast<int64_t>(ring_.windows.size()))
    return {Code::failed, fmt::format("there is no window {}: finish_loading() failed before it", slot.value)};
  if (policy_.binding == Binding::rolling) ring_.roll();
  // Also where the window holds the target already (L = 1, and a window of a single layer): every pass has the same broadcasts, so that
  // ranks need not agree on what windows hold.
  RELOADLAB_TRY(fetch(target, slot));
  reached_ = offset;
  read_ = false;
  expected_ = {offset.value + 1 < count() ? offset.value + 1 : 0};
  return expected_.value == 0 ? end_pass() : Status();
}

Status Series::known(LayerIndex index) const {
  if (checked() ? phase_ != Phase::running : ring_.windows.empty())
    return misuse(fmt::format("layer {} is used before loading was finished", index.value));
  const SeriesOffset offset = offset_of(index);
  if (offset.value < 0 || offset.value >= count()) return misuse(fmt::format("layer {} is not in the series", index.value));
  if (asleep_) return misuse(fmt::format("layer {} is used while the model sleeps", index.value));
  if (reload_) return misuse(fmt::format("layer {} is used while a reload is open", index.value));
  return whole();
}

Status Series::may_reach(SeriesOffset offset) {
  RELOADLAB_TRY(Status(stopped_));
  const LayerIndex index = at(offset).index;
  if (offset != expected_)
    return misuse(fmt::format("layer {} is reached where {} is next: reset() begins a pass anew", index.value, at(expected_).index.value));
  const WindowSlot slot = policy_.binding == Binding::rolling ? ring_.next : at(offset).target_slot;
  const Window& window = ring_.at(slot);
  if (window.state == SlotState::in_use)
    return misuse(
        fmt::format("layer {} is reached while layer {} is in use: done() comes first", index.value, at(*window.tenant).index.value));
  return {};
}

// SW3. What may refuse has been asked: under trusted order the assertion comes when slot and alias have changed. Whose the layer is follows
// from its place: where indices have a gap, and nobody refused them, that is another rank than the one that holds it.
Status Series::fetch(SeriesOffset target, WindowSlot slot) {
  Member& member = at(target);
  Window& window = ring_.at(slot);
  const int64_t owner = (members_.front().index.value + target.value) % size_;
  Status outcome = model::guarded([&]() -> Status {
    ring_.refill(window, current());
    member.slot = slot;
    if (owner != rank_) become(member.weight->tensor, window.memory);
    if (!checked() && window.tenant == target)
      return {Code::failed, fmt::format("window {} already holds layer {}", slot.value, member.index.value)};
    window.tenant = target;
    window.version = version_;
    window.arrival = broadcast(member, owner, owner == rank_ ? owned_wire(member) : window.wire, true);
    window.state = SlotState::in_flight;
    return {};
  });
  if (!outcome.ok() && checked()) stopped_ = misuse(fmt::format("a broadcast of layer {} failed: reset() begins anew", member.index.value));
  return outcome;
}

// The owner's weight may have got another storage since, and in the seed loading may have stopped before the layer was built.
std::vector<at::Tensor>& Series::owned_wire(Member& member) {
  const at::Tensor& weight = member.weight->tensor;
  if (member.wire.empty() || !is_wire_of(member.wire.front(), weight)) member.wire = {wire_of(weight)};
  return member.wire;
}

at::Tensor Series::wire_of(const at::Tensor& weight) const { return policy_.layout == Layout::checked ? on_the_wire(weight) : weight; }

c10::intrusive_ptr<c10d::Work> Series::broadcast(const Member& member, int64_t owner, std::vector<at::Tensor>& wire, bool async) {
  if (sequence_) sequence_->add({owner, static_cast<int64_t>(wire.front().nbytes()), member.index.value, version_}, context_.name);
  c10d::BroadcastOptions options;
  options.rootRank = owner;
  options.asyncOp = async;
  return context_.group->broadcast(wire, options);
}

// SW4.
Status Series::wait(LayerIndex index) {
  RELOADLAB_TRY(known(index));
  const SeriesOffset offset = offset_of(index);
  if (checked()) RELOADLAB_TRY(readable(offset));
  Window* window = window_of(offset);
  if (!window) return {checked() ? Code::misuse : Code::failed, fmt::format("no window holds layer {}", index.value)};
  return model::guarded([&] {
    ring_.join(*window, current());
    return Status();
  });
}

Status Series::done(LayerIndex index) {
  RELOADLAB_TRY(known(index));
  const SeriesOffset offset = offset_of(index);
  if (checked()) RELOADLAB_TRY(readable(offset));
  Window* window = window_of(offset);
  if (!window) return {};
  read_ = true;
  return model::guarded([&] {
    ring_.add_reader(*window, current());
    return Status();
  });
}

Status Series::readable(SeriesOffset offset) const {
  if (reached_ == offset) return {};
  const int64_t index = at(offset).index.value;
  if (!reached_) return misuse(fmt::format("layer {} is read before its pass has reached it", index));
  return misuse(fmt::format("layer {} is read where layer {} was reached last", index, at(*reached_).index.value));
}

Window* Series::window_of(SeriesOffset offset) {
  const Member& member = at(offset);
  if (!member.slot) return nullptr;
  Window& window = ring_.at(*member.slot);
  return window.holds(offset, version_) ? &window : nullptr;
}

}  // namespace reloadlab::shared_series
