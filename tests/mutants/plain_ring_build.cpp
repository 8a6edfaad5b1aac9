#include <ATen/ops/clone.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/empty_strided.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "reference/model/device.h"
#include "reference/model/guard.h"
#include "reference/model/post_load.h"
#include "tests/mutants/plain_ring.h"
#include "tests/mutants/ring_memory.h"

namespace reloadlab::mutants {
namespace {

constexpr std::string_view kGate = "plain_ring_loader";

}  // namespace

Status PlainRing::register_layer(const model::LayerPtr& layer, int64_t index) {
  One one{.layer = layer, .index = index, .root = index % size_};
  one.mine = one.root == rank_;
  if (is(RingWrong::relative_root)) one.root = (ones_.empty() ? 0 : index - ones_.front().index) % size_;
  if (is(RingWrong::global_root)) one.root += rank_of_all_ - rank_;
  one.step = std::exchange(layer->quant_method, nullptr);
  one.weight = layer->tensor("weight");
  const auto note = [&](const model::Slot& slot, bool parameter) {
    gate(one, slot.name, *slot.handle);
    const at::Tensor tensor = slot.handle->tensor;
    one.originals.push_back({slot.name, parameter, slot.persistent, *slot.handle, tensor.sizes().vec(), tensor.scalar_type()});
    one.originals.back().handle.tensor = at::Tensor();
  };
  model::for_each_tensor(*layer, note);
  wrap_forward(one);
  if (!one.mine) dispose(one.weight->tensor);
  ones_.push_back(std::move(one));
  return {};
}

// In front of a loader: whether it writes here, and now.
void PlainRing::gate(One& one, const std::string& slot, model::Parameter& handle) {
  if (handle.loader && handle.loader->name == kGate) return;
  const model::LoaderPtr inner = handle.loader ? handle.loader : model::default_weight_loader();
  auto function = [self = self_, index = one.index, slot, inner, is_weight = &handle == one.weight.get()](
                      model::Layer*, model::Parameter& to, const at::Tensor& loaded, const model::LoadArgs& args) -> Status {
    if (!*self) return {Code::misuse, "the series is gone"};
    One& self_one = *std::ranges::find((*self)->ones_, index, &One::index);
    bool here = false;
    RELOADLAB_TRY((*self)->loads(self_one, slot, is_weight, args, here));
    return model::guarded([&] { return here ? (*inner)(to, loaded, args) : (*self)->try_elsewhere(self_one, *inner, to, loaded, args); });
  };
  handle.loader = std::make_shared<const model::Loader>(model::Loader{.name = std::string(kGate), .function = function, .wrapped = inner});
}

Status PlainRing::loads(One& one, const std::string& slot, bool is_weight, const model::LoadArgs& args, bool& here) {
  const bool open = loading_ || (reloading_ && !in_place_) || is(RingWrong::loads_at_any_time);
  if (!open) return {Code::misuse, "no load is open for the series"};
  if (is(RingWrong::built_early) && !built_ && &one != &ones_.front()) RELOADLAB_TRY(build());
  one.loaded.emplace(slot, args.shard, args.expert, args.part);
  here = one.mine || !is_weight;
  return {};
}

// What the weight's owner refuses is refused here as well.
Status PlainRing::try_elsewhere(const One& one, const model::Loader& loader, const model::Parameter& to, const at::Tensor& loaded,
                                const model::LoadArgs& args) const {
  if (is(RingWrong::refused_on_one)) return {};
  const auto original = std::ranges::find(one.originals, "weight", &Original::slot);
  model::Parameter nowhere(to);
  nowhere.tensor = at::empty(original->shape, at::TensorOptions(original->dtype).device(at::kMeta));
  return loader(nowhere, loaded, args);
}

// Of all ranks and models of the process, by what models call a layer: whoever registered it last.
std::weak_ptr<PlainRing*>& PlainRing::registered(const std::string& path) const {
  static std::map<std::pair<std::string, int>, std::weak_ptr<PlainRing*>> registry;
  return registry[{path, rank_of_all_}];
}

void PlainRing::wrap_forward(const One& one) {
  if (is(RingWrong::process_wide)) {
    registered(one.layer->path()) = self_;
    one.layer->hooks.before = [self = self_, path = one.layer->path(), index = one.index](model::Layer&) {
      const auto last = *self ? (*self)->registered(path).lock() : nullptr;
      return last && *last ? (*last)->wait(index) : Status();
    };
    return;
  }
  one.layer->hooks.before = [self = self_, index = one.index](model::Layer&) { return *self ? (*self)->wait(index) : Status(); };
  one.layer->hooks.after = [self = self_, index = one.index](model::Layer&) {
    return *self ? (*self)->read_done(index - (*self)->ones_.front().index) : Status();
  };
}

Status PlainRing::finish_loading() {
  if (!built_ && !is(RingWrong::takes_parts)) RELOADLAB_TRY(check_loaded());
  loading_ = false;
  if (built_) return {};
  std::ranges::sort(ones_, {}, &One::index);
  return build();
}

// The same pieces of every layer.
Status PlainRing::check_loaded() const {
  for (const One& one : ones_)
    for (const One& other : ones_)
      if (!std::ranges::includes(one.loaded, other.loaded))
        return {Code::rejected, fmt::format("{} has not come whole", one.layer->path())};
  return {};
}

// Asked before anything is issued, so that all ranks refuse.
Status PlainRing::check_alike() const {
  if (ones_.empty()) return {Code::misuse, "no layers"};
  if (!is(RingWrong::any_look_ahead) && ahead_ > std::max<int64_t>(count() - 2, 0)) return {Code::misuse, "too few layers to look ahead"};
  const auto weight = [](const One& one) { return std::ranges::find(one.originals, "weight", &Original::slot); };
  for (const One& one : ones_) {
    const bool follows = one.index - ones_.front().index == &one - ones_.data();
    if (!follows && !is(RingWrong::any_indices)) return {Code::misuse, "indices are not consecutive"};
    const bool alike = weight(one)->shape == weight(ones_.front())->shape && weight(one)->dtype == weight(ones_.front())->dtype;
    if (!alike && !is(RingWrong::first_shape)) return {Code::misuse, fmt::format("{} has another shape", one.layer->path())};
  }
  return {};
}

Status PlainRing::build() {
  RELOADLAB_TRY(check_alike());
  return model::guarded([&]() -> Status {
    for (int64_t i = 0; i < count(); ++i) RELOADLAB_TRY(build_one(is(RingWrong::backwards_on_odd) && on_odd() ? count() - 1 - i : i));
    next_ = ahead_ % window_count();
    room_.reset();
    built_ = true;
    return {};
  });
}

Status PlainRing::build_one(int64_t offset) {
  One& one = at(offset);
  const One& like = is(RingWrong::first_shape) ? ones_.front() : one;
  const Original& weight = *std::ranges::find(like.originals, "weight", &Original::slot);
  if (!one.mine) one.weight->tensor.set_(at::empty(weight.shape, at::TensorOptions(weight.dtype).device(context_.device)));
  if (is(RingWrong::shared_room) && !one.mine) {
    if (!room_.defined()) room_ = one.weight->tensor.alias();
    one.weight->tensor.set_(room_);
  }
  RELOADLAB_TRY(send_and_process(one, one.weight->tensor));
  if (!is(RingWrong::orphan)) one.weight = one.layer->tensor("weight");
  model::for_each_tensor(*one.layer, [&](const model::Slot& slot, bool) { gate(one, slot.name, *slot.handle); });
  if (!one.weight->tensor.is_non_overlapping_and_dense()) return {Code::misuse, "the weight has gaps"};
  one.loaded_before = std::exchange(one.loaded, {});
  if (windows_.empty()) make_windows(one.weight->tensor);
  settle_in(offset);
  return {};
}

// On the current stream, where NCCL's group gives no Work.
void PlainRing::send_and_wait(One& one, const at::Tensor& weight) {
  if (const auto work = send(one, {weight}, false)) work->wait();
}

Status PlainRing::send_and_process(One& one, const at::Tensor& weight) {
  const model::DeviceScope device(context_.device);
  const bool steps = one.step && !(is(RingWrong::step_lost) && reloading_);
  if (!is(RingWrong::processed_apart)) send_and_wait(one, flat(weight));
  if (steps) RELOADLAB_TRY(one.step->process_weights_after_loading(*one.layer));
  if (is(RingWrong::processed_apart)) send_and_wait(one, flat(one.layer->tensor("weight")->tensor));
  return {};
}

void PlainRing::make_windows(const at::Tensor& processed) {
  int64_t windows = ahead_ + 1;
  if (is(RingWrong::window_more)) ++windows;
  if (is(RingWrong::window_less)) windows = std::max<int64_t>(windows - 1, 1);
  windows_.resize(static_cast<size_t>(windows));
  const Original& before = *std::ranges::find(ones_.front().originals, "weight", &Original::slot);
  for (Window& each : windows_)
    each.memory =
        is(RingWrong::windows_first) ? at::empty(before.shape, processed.options().dtype(before.dtype)) : at::empty_like(processed);
  if (is(RingWrong::spare_window)) kept_.push_back(at::empty_like(processed));
}

// Of the first layers, the one that the first reach() brings: its window is empty as a pass begins.
int64_t PlainRing::unfilled() const { return fixed_ && !is(RingWrong::refill_ahead) ? (count() - 1) % (ahead_ + 1) : ahead_; }

void PlainRing::settle_in(int64_t offset) {
  One& one = at(offset);
  at::Tensor& weight = one.weight->tensor;
  if (is(RingWrong::kept_storage) && !one.mine) kept_.push_back(weight.alias());
  const bool resident = offset <= ahead_ && offset != unfilled() && offset < window_count();
  if (resident) {
    Window& own = window(offset);
    if (is(RingWrong::shared_room) && !one.mine)
      own.memory = weight.alias();
    else
      own.memory.copy_(weight);
    own.tenant = one.slot = offset;
    own.version = version_;
    if (!one.mine) become(weight, own.memory);
  } else if (!one.mine) {
    dispose(weight);
  }
}

}  // namespace reloadlab::mutants
