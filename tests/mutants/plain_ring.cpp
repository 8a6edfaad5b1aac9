#include "tests/mutants/plain_ring.h"

#include <ATen/ops/clone.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "reference/model/guard.h"
#include "tests/mutants/ring_memory.h"

namespace reloadlab::mutants {

PlainRing::PlainRing(RingWrong wrong, bool fixed, int rank_of_all, const model::SeriesContext& context)
    : wrong_(wrong),
      fixed_(fixed),
      rank_of_all_(rank_of_all),
      context_(context),
      rank_(context.group->getRank()),
      size_(context.group->getSize()),
      ahead_(context.prefetch),
      self_(std::make_shared<PlainRing*>(this)) {}

PlainRing::~PlainRing() { *self_ = nullptr; }

c10::Stream PlainRing::current() const { return c10::impl::VirtualGuardImpl(context_.device.type()).getStream(context_.device); }

c10::Stream PlainRing::side() {
  if (!side_) side_ = c10::impl::VirtualGuardImpl(context_.device.type()).getNewStream(context_.device);
  return *side_;
}

Status PlainRing::in_series(int64_t index) const {
  if (!built_) return {Code::misuse, fmt::format("layer {} before loading was finished", index)};
  if (reloading_) return {Code::misuse, fmt::format("layer {} while a reload is open", index)};
  const int64_t first = ones_.front().index;
  if (index < first || index >= first + count()) return {Code::misuse, fmt::format("layer {} is not in the series", index)};
  return {};
}

// Which layer comes into a window when this one is reached.
int64_t PlainRing::target_of(int64_t offset) const {
  if (is(RingWrong::absolute_target)) return (offset + ones_.front().index + ahead_) % count();
  if (is(RingWrong::one_less_ahead)) return (offset + std::max<int64_t>(ahead_ - 1, 0)) % count();
  if (!fixed_ || is(RingWrong::refill_ahead)) return (offset + ahead_) % count();
  // The window of the layer before is free: its next layer in this pass, or its first one in the next pass.
  const int64_t before = (offset + count() - 1) % count();
  return before + ahead_ + 1 < count() ? before + ahead_ + 1 : before % (ahead_ + 1);
}

int64_t PlainRing::slot_of(int64_t target) {
  if (fixed_) return target % window_count();
  const int64_t slot = next_;
  next_ = (next_ + 1) % window_count();
  return slot;
}

Status PlainRing::reach(int64_t index) {
  RELOADLAB_TRY(in_series(index));
  const int64_t offset = index - ones_.front().index;
  if (!is(RingWrong::trusting) && offset != expected_) return {Code::misuse, fmt::format("layer {} is reached out of order", index)};
  return model::guarded([&]() -> Status {
    if (offset == 0) begin_pass();
    const int64_t target = target_of(offset), slot = slot_of(target);
    const bool there = window(slot).tenant == target && window(slot).version == version_;
    if (there && is(RingWrong::asserts_absence)) return {Code::failed, "the window holds the layer already"};
    RELOADLAB_TRY(fetch(target, slot));
    reached_ = offset;
    expected_ = (offset + 1) % count();
    return {};
  });
}

void PlainRing::begin_pass() {
  if (is(RingWrong::fresh_windows)) {
    (void)settle();
    for (Window& each : windows_) each.memory = each.memory.clone();
    for (int64_t offset = 0; offset < count(); ++offset) {
      const bool here = at(offset).slot >= 0 && window(at(offset).slot).tenant == offset;
      if (!at(offset).mine && here) become(at(offset).weight->tensor, window(at(offset).slot).memory);
      if (!at(offset).mine && !here) dispose(at(offset).weight->tensor);
    }
  }
  for (int64_t slot = 0; is(RingWrong::evicts_at_start) && slot < window_count(); ++slot) {
    if (!window(slot).arrival) continue;
    {
      const c10::StreamGuard elsewhere(side());
      window(slot).memory.zero_();
    }
    (void)issue(window(slot).tenant, window(slot));
  }
}

Status PlainRing::fetch(int64_t target, int64_t slot) {
  Window& into = window(slot);
  One& one = at(target);
  one.slot = slot;
  if (!one.mine) become(one.weight->tensor, into.memory);
  into.tenant = target;
  into.version = version_;
  if (!is(RingWrong::late_on_odd) || !on_odd() || ahead_ == 0 || primed_by_reload_) return issue(target, into);
  if (late_) RELOADLAB_TRY(issue(late_->first, window(late_->second)));
  late_ = {target, slot};
  return {};
}

// The broadcast comes after everybody who reads the window.
Status PlainRing::issue(int64_t target, Window& into) {
  for (c10::Event& reader : into.readers)
    if (!is(RingWrong::readers_forgotten)) reader.block(current());
  into.readers.clear();
  std::optional<c10::StreamGuard> elsewhere;
  if (is(RingWrong::fork_missing)) elsewhere.emplace(side());
  One& one = at(target);
  at::Tensor tensor = one.mine ? one.weight->tensor : into.memory;
  const bool aside = is(RingWrong::committed_on_one) && primed_by_reload_ && rank_ > 0 && !one.mine;
  if (aside) tensor = kept_.emplace_back(at::empty_like(into.memory));
  if (is(RingWrong::owner_silent) && one.mine) return {};
  into.arrival = send(one, {flat(tensor)}, true);
  if (is(RingWrong::sent_twice)) into.arrival = send(one, {flat(tensor)}, true);
  return {};
}

PlainRing::WorkPtr PlainRing::send(One& one, std::vector<at::Tensor> tensors, bool async) {
  c10d::BroadcastOptions options;
  options.rootRank = one.root;
  options.asyncOp = async;
  if (is(RingWrong::copy_dropped) && one.mine && async) {
    tensors = {tensors.front().clone()};
    (void)context_.group->broadcast(tensors, options);
    return nullptr;
  }
  if (is(RingWrong::halves_on_odd) && on_odd() && async) {
    const int64_t half = tensors.front().numel() / 2;
    std::vector<at::Tensor> first = {tensors.front().slice(0, 0, half)};
    (void)context_.group->broadcast(first, options);
    tensors = {tensors.front().slice(0, half)};
  }
  return context_.group->broadcast(tensors, options);
}

Status PlainRing::may_read(int64_t offset) const {
  if (is(RingWrong::trusting) || is(RingWrong::slot_unset) || reached_ == offset) return {};
  return {Code::misuse, fmt::format("layer {} is read, and was not reached last", ones_[static_cast<size_t>(offset)].index)};
}

Status PlainRing::wait(int64_t index) {
  RELOADLAB_TRY(in_series(index));
  const int64_t offset = index - ones_.front().index;
  RELOADLAB_TRY(may_read(offset));
  return model::guarded([&]() -> Status {
    One& one = at(offset);
    if (late_ && late_->first == offset) {
      RELOADLAB_TRY(issue(late_->first, window(late_->second)));
      late_.reset();
    }
    if (one.slot < 0 && is(RingWrong::slot_unset)) {
      one.slot = window_count() - 1;
      if (!one.mine) become(one.weight->tensor, window(one.slot).memory);
    }
    if (one.slot < 0) return is(RingWrong::trusting) ? Status() : Status(Code::misuse, "no window holds the layer");
    Window& own = window(one.slot);
    if (is(RingWrong::swapped_windows) && !one.mine && window_count() > 1) swap_bytes(one.slot);
    if (!own.arrival || is(RingWrong::no_wait)) return {};
    std::optional<c10::StreamGuard> elsewhere;
    if (is(RingWrong::other_stream)) elsewhere.emplace(side());
    if (is(RingWrong::wait_of_previous)) {
      const WorkPtr mine = own.arrival;
      if (previous_) previous_->wait();
      previous_ = mine;
      return {};
    }
    for (Window& each : windows_)
      if (each.arrival && (&each == &own || is(RingWrong::waits_for_all))) each.arrival->wait();
    if (is(RingWrong::wait_forgets)) own.arrival = nullptr;
    return {};
  });
}

// What arrived in one window goes on living in the memory of another.
void PlainRing::swap_bytes(int64_t slot) {
  Window &one = window(slot), &other = window((slot + 1) % window_count());
  for (Window* each : {&one, &other})
    if (each->arrival) each->arrival->wait();
  const at::Tensor bytes = one.memory.clone();
  one.memory.copy_(other.memory);
  other.memory.copy_(bytes);
  std::swap(one.memory, other.memory);
  for (Window* each : {&one, &other})
    if (each->tenant >= 0 && !at(each->tenant).mine) become(at(each->tenant).weight->tensor, each->memory);
}

Status PlainRing::read_done(int64_t offset) {
  if (at(offset).slot < 0) return {};
  std::vector<c10::Event>& readers = window(at(offset).slot).readers;
  readers.emplace_back(context_.device.type());
  readers.back().record(current());
  return {};
}

}  // namespace reloadlab::mutants
