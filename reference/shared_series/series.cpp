#include "reference/shared_series/series.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "reference/model/guard.h"
#include "reference/model/post_load.h"
#include "reference/shared_series/ring.h"

namespace reloadlab::shared_series {
namespace {

using model::LayerPtr;
using model::ParameterPtr;

// Stands in a layer for the quantization method that the series has taken over: others run it and nothing happens.
class TakenOver final : public model::QuantMethod {
 public:
  explicit TakenOver(std::shared_ptr<QuantMethod> own) : own_(std::move(own)) {}
  std::string_view id() const override { return own_ ? own_->id() : "none"; }
  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return own_ ? own_->checkpoint_layout(slot, processed) : processed;
  }
  at::Tensor compute_value(const model::Layer& layer, std::string_view slot) const override {
    return own_ ? own_->compute_value(layer, slot) : QuantMethod::compute_value(layer, slot);
  }
  std::vector<model::Derived> derived(const model::Layer& layer) const override {
    return own_ ? own_->derived(layer) : std::vector<model::Derived>();
  }
  Status run_own(model::Layer& layer) { return own_ ? own_->process_weights_after_loading(layer) : Status(); }

 protected:
  Status process(model::Layer&) override { return {}; }

 private:
  std::shared_ptr<QuantMethod> own_;
};

struct Member {
  LayerPtr layer;
  LayerIndex index;
  std::shared_ptr<TakenOver> method;
  at::Tensor& weight() const { return layer->tensor("weight")->tensor; }
};

Status misuse(std::string message) { return {Code::misuse, std::move(message)}; }

// What is left of a weight that lives elsewhere: one element, so that shape and dtype can still be asked for.
void dispose(at::Tensor& weight) { weight.set_(at::empty({1}, weight.options())); }

class Series final : public SharedSeries {
 public:
  Series(const SeriesPolicy& policy, const model::SeriesContext& context)
      : policy_(policy), context_(context), prefetch_(context.prefetch), ring_(policy) {}

  Status register_layer(const LayerPtr& layer, LayerIndex index) override {
    if (ring_.built()) return misuse(fmt::format("layer {} registered after loading was finished", index.value));
    ParameterPtr weight = layer->tensor("weight");
    if (!weight) return misuse(fmt::format("{} has no weight to share", layer->path()));
    if (!template_.defined()) template_ = weight->tensor.alias();
    Member member{layer, index, std::make_shared<TakenOver>(layer->quant_method)};
    layer->quant_method = member.method;
    if (!owns(index)) {
      dispose(weight->tensor);
      weight->loader = model::free_loader(
          "elsewhere", [](model::Layer*, model::Parameter&, const at::Tensor&, const model::LoadArgs&) { return Status(); });
    }
    members_.push_back(std::move(member));
    return {};
  }

  Status finish_loading() override {
    if (ring_.built()) return {};
    std::sort(members_.begin(), members_.end(), [](const Member& a, const Member& b) { return a.index < b.index; });
    if (members_.empty()) return misuse("a series without layers");
    if (prefetch_ < 0 || prefetch_ > std::max<int64_t>(0, count() - 2))
      return misuse(
          fmt::format("a look-ahead of {} in a series of {} layers: at most {}", prefetch_, count(), std::max<int64_t>(0, count() - 2)));
    if (policy_.order == Order::checked) RELOADLAB_TRY(check_members());
    for (int64_t offset = 0; offset < count(); ++offset) RELOADLAB_TRY(build(SeriesOffset{offset}));
    template_ = at::Tensor();
    ring_.next = WindowSlot{prefetch_};
    return {};
  }

  Status reach(LayerIndex index) override {
    RELOADLAB_TRY(known(index));
    if (policy_.order == Order::checked && index != expected_)
      return misuse(fmt::format("layer {} is reached where {} is next: reset() begins a pass anew", index.value, expected_.value));
    Member& target = member(target_of(index));
    WindowSlot slot = ring_.take(current());
    Window& window = ring_.at(slot);
    if (!owns(target.index)) target.weight().set_(window.memory);
    bool held = window.tenant == target.index;
    if (held && policy_.order == Order::trusted)
      return {Code::failed, fmt::format("window {} already holds layer {}", slot.value, target.index.value)};
    window.tenant = target.index;
    window.arrival = broadcast(target, true);
    expected_ = at_offset({(offset_of(index).value + 1) % count()}).index;
    return {};
  }

  Status wait(LayerIndex index) override {
    RELOADLAB_TRY(known(index));
    Window* window = ring_.holding(index);
    if (!window)
      return {policy_.order == Order::checked ? Code::misuse : Code::failed, fmt::format("no window holds layer {}", index.value)};
    ring_.join(*window);
    return {};
  }

  Status done(LayerIndex index) override {
    RELOADLAB_TRY(known(index));
    if (Window* window = ring_.holding(index)) ring_.add_reader(*window, current());
    return {};
  }

  Status drain() override {
    RELOADLAB_TRY(recovers("drain"));
    for (Window& window : ring_.windows) ring_.join(window);
    return {};
  }

  Status reset() override {
    RELOADLAB_TRY(drain());
    ring_.next = WindowSlot{0};
    for (Window& window : ring_.windows) window.tenant = std::nullopt;
    for (int64_t offset = 0; offset < prefetch_; ++offset) {
      Member& member = at_offset({offset});
      Window& window = ring_.at(ring_.take(current()));
      if (!owns(member.index)) member.weight().set_(window.memory);
      window.tenant = member.index;
      window.arrival = broadcast(member, true);
    }
    expected_ = at_offset({0}).index;
    return {};
  }

  Status begin_reload(Arrival arrival) override {
    if (arrival == Arrival::checkpoint) return {Code::unsupported, "owners take processed weights only"};
    return drain();
  }

  Status reload() override { return reset(); }

 private:
  int64_t count() const { return static_cast<int64_t>(members_.size()); }
  bool owns(LayerIndex index) const { return owner(index) == context_.group->getRank(); }
  int64_t owner(LayerIndex index) const { return index.value % context_.group->getSize(); }
  SeriesOffset offset_of(LayerIndex index) const { return {index.value - members_.front().index.value}; }
  Member& at_offset(SeriesOffset offset) { return members_[static_cast<size_t>(offset.value)]; }
  Member& member(LayerIndex index) { return at_offset(offset_of(index)); }
  c10::Stream current() const { return c10::impl::VirtualGuardImpl(context_.device.type()).getStream(context_.device); }

  // The difference between the two is a bug that real rings have: it shows only where s is no multiple of L.
  LayerIndex target_of(LayerIndex index) const {
    int64_t first = members_.front().index.value;
    int64_t base = policy_.target == Target::absolute ? index.value : offset_of(index).value;
    return {(base + prefetch_) % count() + first};
  }

  Status known(LayerIndex index) const {
    if (!ring_.built()) return misuse(fmt::format("layer {} is used before loading was finished", index.value));
    SeriesOffset offset = offset_of(index);
    if (offset.value < 0 || offset.value >= count()) return misuse(fmt::format("layer {} is not in the series", index.value));
    return {};
  }

  Status recovers(std::string_view call) const {
    if (policy_.recovery == Recovery::none) return {Code::unsupported, fmt::format("no {}", call)};
    if (!ring_.built()) return misuse(fmt::format("{} before loading was finished", call));
    return {};
  }

  Status follows(SeriesOffset offset) const {
    const Member& one = members_[static_cast<size_t>(offset.value)];
    if (offset_of(one.index) == offset) return {};
    return misuse(fmt::format("layer {} follows layer {}: indices must be consecutive", one.index.value,
                              members_[static_cast<size_t>(offset.value) - 1].index.value));
  }

  // Before anything is issued.
  Status check_members() const {
    for (int64_t offset = 0; offset < count(); ++offset) {
      RELOADLAB_TRY(follows({offset}));
      const Member& one = members_[static_cast<size_t>(offset)];
      if (owns(one.index) && one.weight().sizes() != template_.sizes())
        return misuse(fmt::format("{} has another shape than the series' first layer", one.layer->path()));
    }
    return {};
  }

  // One layer of SW2: from its owner to everybody, processed, and into its window or away again.
  Status build(SeriesOffset offset) {
    RELOADLAB_TRY(follows(offset));
    Member& one = at_offset(offset);
    bool mine = owns(one.index);
    if (!mine) one.weight().set_(at::empty_like(template_));
    RELOADLAB_TRY(model::guarded([&] {
      broadcast(one, false)->wait();
      return one.method->run_own(*one.layer);
    }));
    at::Tensor& weight = one.weight();
    if (offset.value < prefetch_) {
      ring_.windows.push_back({.memory = weight.clone(), .tenant = one.index, .arrival = {}, .readers = {}});
      if (!mine) weight.set_(ring_.windows.back().memory);
    } else {
      if (offset.value == prefetch_)
        ring_.windows.push_back({.memory = at::empty_like(weight), .tenant = {}, .arrival = {}, .readers = {}});
      if (!mine) dispose(weight);
    }
    if (offset.value == 0) expected_ = one.index;
    return {};
  }

  c10::intrusive_ptr<c10d::Work> broadcast(Member& one, bool async) {
    c10d::BroadcastOptions options;
    options.rootRank = owner(one.index);
    options.asyncOp = async;
    std::vector<at::Tensor> tensors = {one.weight()};
    return context_.group->broadcast(tensors, options);
  }

  SeriesPolicy policy_;
  model::SeriesContext context_;
  int64_t prefetch_;
  Ring ring_;
  std::vector<Member> members_;  // in order of index once loading is finished
  at::Tensor template_;          // the first registered weight, for its shape
  LayerIndex expected_{0};       // whose reach() is next
};

}  // namespace

std::unique_ptr<SharedSeries> make_series(const SeriesPolicy& policy, const model::SeriesContext& context) {
  return std::make_unique<Series>(policy, context);
}

}  // namespace reloadlab::shared_series
