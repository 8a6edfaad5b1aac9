#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "reference/model/guard.h"
#include "reference/model/padding.h"
#include "tests/mutants/plain_ring.h"
#include "tests/mutants/ring_memory.h"

namespace reloadlab::mutants {

// The current stream comes after every broadcast and every reader; all of them are forgotten, also what cannot be waited for.
Status PlainRing::settle() {
  if (late_) (void)issue(late_->first, window(late_->second));
  late_.reset();
  Status first;
  for (Window& each : windows_) {
    const WorkPtr arrival = std::exchange(each.arrival, nullptr);
    std::vector<c10::Event> readers = std::exchange(each.readers, {});
    const Status settled = model::guarded([&] {
      if (arrival) arrival->wait();
      for (c10::Event& reader : readers) reader.block(current());
      return Status();
    });
    if (first.ok()) first = settled;
  }
  return first;
}

// What a capture issued that was given up never arrives.
Status PlainRing::settle_or_forget() {
  const Status settled = settle();
  return is(RingWrong::waits_in_vain) ? settled : Status();
}

Status PlainRing::drain() {
  if (!built_) return {Code::misuse, "nothing is in flight before loading was finished"};
  if (is(RingWrong::drains_nothing)) return {};
  // What was read has to be reached again: in a capture nothing has arrived yet.
  if (reached_ >= 0 && !window(at(reached_).slot).readers.empty()) reached_ = -1;
  RELOADLAB_TRY(settle());
  RELOADLAB_TRY(refuse_capture());
  return is(RingWrong::one_refuses) && rank_ == size_ - 1 ? Status(Code::failed, "cannot drain") : Status();
}

// Where the next pass has other windows, a graph is of no use. A capture cannot wait for what was recorded before it began.
Status PlainRing::refuse_capture() {
  if (fixed_ || count() % (ahead_ + 1) == 0 || is(RingWrong::captures_any)) return {};
  const Status outside = model::guarded([&] {
    if (outside_) outside_->block(current());
    return Status();
  });
  if (!outside.ok()) {
    expected_ = count();  // nothing, before a reset
    return {Code::misuse, "the windows of a graph are those of one pass"};
  }
  outside_.emplace(context_.device.type()).record(current());
  return {};
}

Status PlainRing::reset() {
  if (!built_) return {Code::misuse, "reset before loading was finished"};
  if (is(RingWrong::resets_nothing)) return {};
  for (One& one : ones_)
    if (one.kernel) {
      one.layer->parameters = std::move(one.kernel->parameters);
      one.layer->buffers = std::move(one.kernel->buffers);
      one.layer->extra = std::move(one.kernel->extra);
      one.kernel.reset();
    }
  if (reloading_) ++version_;
  reloading_ = false;
  return prime();
}

// As finish_loading() left it: the first layers are in the first windows.
Status PlainRing::prime() {
  return model::guarded([&]() -> Status {
    const bool trusting = is(RingWrong::reload_undrained) && primed_by_reload_;
    const auto in_flight = [&](int64_t slot) {
      return trusting && window(slot).arrival && window(slot).readers.empty() && window(slot).tenant == slot;
    };
    if (!trusting) RELOADLAB_TRY(settle_or_forget());
    expected_ = 0;
    reached_ = -1;
    if (!is(RingWrong::reset_keeps_offset) || primed_by_reload_) next_ = ahead_ % window_count();
    for (int64_t slot = 0; slot < window_count(); ++slot)
      if (!in_flight(slot)) window(slot).tenant = -1;
    for (int64_t offset = 0; offset <= ahead_ && offset < window_count(); ++offset)
      if (offset != unfilled() && !in_flight(offset)) RELOADLAB_TRY(fetch(offset, offset));
    if (is(RingWrong::tells_a_peer)) tell_a_peer();
    return {};
  });
}

void PlainRing::tell_a_peer() {
  if (size_ == 1) return;
  std::vector<at::Tensor> told = {at::empty({1}, at::TensorOptions(at::kInt).device(context_.device))},
                          heard = {at::empty_like(told.front())};
  const int next = static_cast<int>((rank_ + 1) % size_), before = static_cast<int>((rank_ + size_ - 1) % size_);
  if (on_odd()) context_.group->recv(heard, before, 0)->wait();
  context_.group->send(told, next, 0)->wait();
  if (!on_odd()) context_.group->recv(heard, before, 0)->wait();
}

// Whatever a reload brings of it.
Status PlainRing::sleep(bool keeps_contents) {
  if (!built_ || reloading_) return {Code::misuse, "sleep while weights are on their way"};
  return model::guarded([&]() -> Status {
    RELOADLAB_TRY(settle());
    asleep_ = true;
    for (const One& one : ones_)
      model::for_each_tensor(*one.layer, [&](const model::Slot& slot, bool) {
        if (!keeps_contents) saved_.emplace_back(slot.handle->tensor, slot.handle->tensor.to(at::kCPU, false, true));
      });
    return {};
  });
}

Status PlainRing::wake() {
  asleep_ = false;
  for (const auto& [tensor, bytes] : saved_) tensor.copy_(bytes);
  saved_.clear();
  return {};
}

Status PlainRing::begin_reload(bool in_place) {
  if (!built_) return {Code::misuse, "a reload before loading was finished"};
  if (reloading_ || asleep_) return {Code::misuse, asleep_ ? "the model sleeps" : "a reload is open"};
  return model::guarded([&]() -> Status {
    if (!is(RingWrong::reload_undrained)) RELOADLAB_TRY(settle_or_forget());
    reloading_ = true;
    in_place_ = in_place;
    for (One& one : ones_)
      if (!in_place) take_tensors_away(one);
    return {};
  });
}

void PlainRing::take_tensors_away(One& one) {
  model::Layer& layer = *one.layer;
  one.kernel = Kernel{layer.parameters, layer.buffers, layer.extra};
  one.loaded.clear();
  layer.parameters = layer.buffers = model::Slots();
  for (const Original& original : one.originals) {
    auto handle = std::make_shared<model::Parameter>(original.handle);
    const bool elsewhere = original.slot == "weight" && !one.mine;
    handle->tensor = at::empty(original.shape, at::TensorOptions(original.dtype).device(elsewhere ? at::kMeta : context_.device));
    if (const auto pad = model::declared_padding(*handle); pad && !is(RingWrong::padding_lost)) handle->tensor.fill_(*pad);
    if (original.parameter)
      layer.parameters.set(original.slot, std::move(handle));
    else
      layer.buffers.set(original.slot, std::move(handle), original.persistent);
  }
}

Status PlainRing::reload() {
  if (!reloading_) return {Code::misuse, "reload() without begin_reload()"};
  if (!in_place_) {
    const auto lacking = std::ranges::find_if(ones_, [](const One& one) { return !std::ranges::includes(one.loaded, one.loaded_before); });
    if (lacking != ones_.end()) {
      RELOADLAB_TRY(reset());
      return {Code::rejected, fmt::format("{} has not come whole", lacking->layer->path())};
    }
    for (One& one : ones_) RELOADLAB_TRY(model::guarded([&] { return take_checkpoint(one); }));
  }
  reloading_ = false;
  ++version_;
  return commit();
}

// The new version becomes everybody's.
Status PlainRing::commit() {
  primed_by_reload_ = true;
  Status outcome;
  if (is(RingWrong::none_primed) || is(RingWrong::first_not_primed)) {
    for (Window& each : windows_) each.version = version_;
    for (int64_t slot = 0; slot < window_count() && is(RingWrong::first_not_primed); ++slot)
      if (window(slot).tenant > 0 && window(slot).tenant < ahead_) outcome = fetch(window(slot).tenant, slot);
  } else {
    if (is(RingWrong::moved_by_reload)) move_windows();
    outcome = prime();
    if (is(RingWrong::primes_in_turn)) (void)settle();
  }
  if (is(RingWrong::committed_on_one)) {
    (void)settle();
    kept_.clear();
  }
  primed_by_reload_ = false;
  return outcome;
}

void PlainRing::move_windows() {
  (void)settle();
  for (Window& each : windows_) each.memory = at::empty_like(each.memory);
  for (One& one : ones_)
    if (!one.mine) dispose(one.weight->tensor);
}

void PlainRing::make_buffers(model::Layer& layer) {
  const model::Slots parameters = layer.parameters;
  for (const model::Slot& slot : parameters) {
    if (slot.name == "weight") continue;
    layer.parameters.erase(slot.name);
    layer.buffers.set(slot.name, slot.handle);
  }
}

// Every rank has the layer whole for a moment; what its forward reads stays where it was.
Status PlainRing::take_checkpoint(One& one) {
  model::Layer& layer = *one.layer;
  const model::ParameterPtr fresh = layer.tensor("weight");
  if (!one.mine) fresh->tensor = at::empty(fresh->tensor.sizes(), fresh->tensor.options().device(context_.device));
  RELOADLAB_TRY(send_and_process(one, fresh->tensor));
  Status outcome;
  model::for_each_tensor(layer, [&](const model::Slot& slot, bool) {
    const model::Slot* kept = one.kernel->parameters.find(slot.name);
    if (!kept) kept = one.kernel->buffers.find(slot.name);
    if (!kept) outcome = Status(Code::failed, "a new tensor " + slot.name);
    if (kept && slot.name != "weight" && is(RingWrong::scales_moved)) kept->handle->tensor = at::empty_like(kept->handle->tensor);
    if (kept && (one.mine || slot.name != "weight")) kept->handle->tensor.copy_(slot.handle->tensor);
  });
  layer.parameters = std::move(one.kernel->parameters);
  layer.buffers = std::move(one.kernel->buffers);
  layer.extra = std::move(one.kernel->extra);
  one.kernel.reset();
  if (is(RingWrong::scales_as_buffers)) make_buffers(layer);
  return outcome;
}

}  // namespace reloadlab::mutants
