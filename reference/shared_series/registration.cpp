#include <ATen/ops/empty_like.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/guard.h"
#include "reference/shared_series/core.h"

namespace reloadlab::shared_series {
namespace {

using model::Layer;
using model::LoadArgs;
using model::Parameter;

Template template_of(const model::Slot& slot, bool parameter) {
  Template made{.name = slot.name, .parameter = parameter, .persistent = slot.persistent, .made = {}, .layout = {}};
  if (!slot.handle) return made;
  if (slot.handle->tensor.defined()) made.layout = strided(slot.handle->tensor);
  made.made = *slot.handle;
  made.made->tensor = at::Tensor();
  return made;
}

std::vector<Template> templates_of(const Layer& layer) {
  std::vector<Template> all;
  for (const model::Slot& slot : layer.parameters) all.push_back(template_of(slot, true));
  for (const model::Slot& slot : layer.buffers) all.push_back(template_of(slot, false));
  return all;
}

Status ignore_load(Layer*, Parameter&, const at::Tensor&, const LoadArgs&) { return {}; }

Status call(const std::function<Status(Layer&)>& hook, Layer& layer) { return hook ? hook(layer) : Status(); }

}  // namespace

Status Series::register_layer(const model::LayerPtr& layer, LayerIndex index) {
  RELOADLAB_TRY(check_registration(layer, index));
  Member member{.layer = layer, .index = index, .owner = index.value % size_};
  member.mine = member.owner == rank_;
  member.weight = layer->tensor("weight");
  member.registered = strided(member.weight->tensor);
  if (policy_.layout == Layout::trusted && !room_.defined()) room_ = at::empty_like(member.weight->tensor);
  take_step(member);
  take_loaders(member);
  member.templates = templates_of(*layer);
  take_forward(member);
  if (!member.mine) dispose(member.weight->tensor);
  members_.push_back(std::move(member));
  return {};
}

Status Series::check_registration(const model::LayerPtr& layer, LayerIndex index) const {
  if (phase_ != Phase::registering) return misuse(fmt::format("layer {} registered after loading was finished", index.value));
  if (index.value < 0) return misuse(fmt::format("a layer has no index {}", index.value));
  const model::ParameterPtr weight = layer->tensor("weight");
  if (!weight || !weight->tensor.defined()) return misuse(fmt::format("{} has no weight to share", layer->path()));
  if (policy_.layout == Layout::trusted) return {};
  for (const Member& member : members_) {
    if (member.layer == layer) return misuse(fmt::format("{} is registered already", layer->path()));
    if (member.weight == weight) return misuse(fmt::format("{} and {} have one weight", member.layer->path(), layer->path()));
  }
  if (!weight->tensor.is_non_overlapping_and_dense())
    return misuse(fmt::format("the weight of {} has gaps: {}", layer->path(), describe(strided(weight->tensor))));
  return {};
}

// Under step=object a method that was taken over is found again by the object, and its step is the no-op that stands there by now.
// A layer without a method has no step that others could run.
void Series::take_step(Member& member) {
  std::shared_ptr<model::QuantMethod>& method = member.layer->quant_method;
  if (!method) return;
  if (policy_.step == Step::object) {
    auto [taken, first] = objects_.try_emplace(method.get());
    if (first) {
      taken->second = std::make_shared<TakenOver>(method);
      member.step = method;
    }
    method = taken->second;
    return;
  }
  member.step = method;
  method = std::make_shared<TakenOver>(method);
}

// A call of a loader that the series has taken over.
struct Series::Load {
  const std::string& slot;
  bool is_weight;
  const model::Loader& inner;
  Parameter& to;
  const at::Tensor& loaded;
  const LoadArgs& args;
};

void Series::take_loaders(Member& member) {
  if (policy_.loads == Loads::in_reload) {
    model::for_each_tensor(*member.layer, [&](const model::Slot& slot, bool) { take_loader(member, slot.name, *slot.handle); });
  } else if (!member.mine) {
    member.weight->loader =
        std::make_shared<const model::Loader>(model::Loader{.name = "elsewhere", .function = ignore_load, .nameless = true});
  }
}

// Puts a gate before the handle's loader, unless there is one. Whatever holds the loader may outlive the series.
void Series::take_loader(Member& member, const std::string& slot, Parameter& handle) {
  constexpr std::string_view gate_name = "shared_series_loader";
  if (handle.loader && handle.loader->name == gate_name) return;
  const model::LoaderPtr inner = handle.loader ? handle.loader : model::default_weight_loader();
  const bool is_weight = &handle == member.weight.get();
  auto gate = [self = self_, index = member.index, slot, inner, is_weight](Layer*, Parameter& to, const at::Tensor& loaded,
                                                                           const LoadArgs& args) -> Status {
    if (!*self) return misuse(fmt::format("a load into layer {} of a series that is gone", index.value));
    return model::guarded([&] { return (*self)->take_load(index, {slot, is_weight, *inner, to, loaded, args}); });
  };
  handle.loader =
      std::make_shared<const model::Loader>(model::Loader{.name = std::string(gate_name), .function = std::move(gate), .wrapped = inner});
}

// Every rank sees every load, so what is counted is the same on all of them. Where the weight lives elsewhere its loader writes to a
// tensor without memory: what its owner refuses is refused by all.
Status Series::take_load(LayerIndex index, const Load& load) {
  Member& member = *std::ranges::find(members_, index, &Member::index);
  const bool open = phase_ == Phase::registering || reload_ == Arrival::checkpoint;
  if (!open)
    return misuse(
        fmt::format("{} takes loads before finish_loading() and between begin_reload(checkpoint) and reload()", member.layer->path()));
  if (load.is_weight && !member.mine) {
    Parameter nowhere(load.to);
    nowhere.tensor = make_on(c10::kMeta, member.registered);
    RELOADLAB_TRY(load.inner(nowhere, load.loaded, load.args));
  } else {
    RELOADLAB_TRY(load.inner(load.to, load.loaded, load.args));
  }
  member.loads.emplace(load.slot, load.args.shard, load.args.expert, load.args.part);
  return {};
}

// SW1: the forward first waits for its weight. What was wrapped around it before stays inside.
void Series::take_forward(const Member& member) {
  model::ForwardHooks& hooks = member.layer->hooks;
  hooks.before = [self = self_, index = member.index, inner = std::move(hooks.before)](Layer& layer) -> Status {
    if (*self) RELOADLAB_TRY((*self)->wait(index));
    return call(inner, layer);
  };
  hooks.after = [self = self_, index = member.index, inner = std::move(hooks.after)](Layer& layer) -> Status {
    RELOADLAB_TRY(call(inner, layer));
    return *self ? (*self)->done(index) : Status();
  };
}

}  // namespace reloadlab::shared_series
