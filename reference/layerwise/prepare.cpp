// LW3: a reload begins.
#include <c10/util/SmallVector.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/layerwise/gate.h"
#include "reference/layerwise/grouping.h"
#include "reference/layerwise/learn.h"
#include "reference/layerwise/load.h"
#include "reference/layerwise/storage.h"

namespace reloadlab::layerwise {
namespace {

const std::string torchao_flag = "_do_torchao_reload";

Status is_as_recorded(const model::Layer& layer) {
  Status status;
  model::for_each_tensor(layer, [&](const model::Slot& slot, bool) {
    if (is_taken_over(slot.handle->loader))
      status = {Code::misuse, fmt::format("{}.{} was taken over after it was recorded", layer.path(), slot.name)};
  });
  return status;
}

Status may_begin(const Core& core, const model::Model& model) {
  if (core.policy.misuse == Misuse::undefined) return {};
  if (core.asleep) return Status(Code::misuse, "the model sleeps");
  if (core.open_update()) return Status(Code::misuse, "a reload has begun and has not ended");
  for (const model::LayerPtr& layer : model.layers()) {
    if (!core.registry.find(layer)) return Status(Code::misuse, fmt::format("begin without record: layer {}", layer->path()));
    RELOADLAB_TRY(is_as_recorded(*layer));
  }
  return {};
}

void switch_flag_off(Update& update, model::Model& model) {
  auto flag = model.flags.find(torchao_flag);
  update.torchao_flag = flag == model.flags.end() ? std::nullopt : std::optional(flag->second);
  update.remembers_flag = true;
  model.flags.insert_or_assign(torchao_flag, false);
}

// The record's own placeholder, made once; its loader is bound again where it was unbound.
model::ParameterPtr lend(RecordedTensor& recorded, const model::LayerPtr& layer) {
  if (!recorded.lent)
    recorded.lent = std::make_shared<model::Parameter>(
        model::Parameter{recorded.placeholder, recorded.tensor_class, recorded.attributes, recorded.loader, {}});
  const model::LoaderPtr& loader = recorded.lent->loader;
  if (loader && loader->is_method && loader->self.expired()) {
    recorded.lent->loader = model::bind_loader(loader, layer);
    recorded.bound_to = layer;
  }
  return recorded.lent;
}

// Of a sealed record a fresh placeholder, one per handle of the group.
class Placeholders {
 public:
  explicit Placeholders(const LayerwisePolicy& policy) : policy_(policy) {}

  model::ParameterPtr of(const std::shared_ptr<RecordedTensor>& recorded, const model::LayerPtr& layer) {
    if (policy_.records == Records::lent) return lend(*recorded, layer);
    const auto found = std::ranges::find(made_, recorded.get(), &Made::first);
    return found == made_.end() ? made_.emplace_back(recorded.get(), recorded->fresh()).second : found->second;
  }

 private:
  const LayerwisePolicy& policy_;
  using Made = std::pair<const RecordedTensor*, model::ParameterPtr>;
  c10::SmallVector<Made, 4> made_;
};

std::vector<std::string> names_of_tensors(const model::Layer& layer) {
  std::vector<std::string> names;
  model::for_each_tensor(layer, [&](const model::Slot& slot, bool) { names.push_back(slot.name); });
  return names;
}

void place_reregistered(model::Layer& layer, const Member& member, Placeholders& placeholders) {
  for (const std::string& name : names_of_tensors(layer))
    if (!skips_tensor(name)) layer.erase(name);
  for (const RecordedSlot& slot : member.record->slots) {
    if (!slot.tensor) continue;
    (slot.parameter ? layer.parameters : layer.buffers).set(slot.name, placeholders.of(slot.tensor, member.layer.lock()));
  }
}

// The member takes what is there: names and handles are exchanged, not copied.
void place_kept(model::Layer& layer, Member& member, Placeholders& placeholders) {
  member.kernel_parameters = std::exchange(layer.parameters, {});
  member.kernel_buffers = std::exchange(layer.buffers, {});
  for (const RecordedSlot& slot : member.record->slots) {
    const auto there = [&] {
      const model::Slot* kernel = member.kernel_parameters.find(slot.name);
      if (!kernel) kernel = member.kernel_buffers.find(slot.name);
      return kernel ? kernel->handle : nullptr;
    };
    model::ParameterPtr handle = slot.tensor && !slot.skipped ? placeholders.of(slot.tensor, member.layer.lock()) : there();
    (slot.parameter ? layer.parameters : layer.buffers).set(slot.name, std::move(handle), slot.persistent);
  }
}

bool waits_for(const Core& core, const model::Layer& layer, std::string_view name) {
  return core.policy.skipped == Skipped::wrapped || (!skips_layer(layer) && !skips_tensor(name));
}

Result<std::unique_ptr<Progress>> numel_progress(const Core& core, const Group& group) {
  int64_t total = 0;
  Status status;
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
      if (!waits_for(core, *layer, slot.name)) return;
      if (slot.handle->tensor.defined())
        total += slot.handle->tensor.numel();
      else
        status = {Code::failed, fmt::format("{}.{} has no shape yet, and its elements are counted", layer->path(), slot.name)};
    });
  }
  RELOADLAB_TRY(std::move(status));
  return std::unique_ptr<Progress>(std::make_unique<NumelProgress>(total));
}

// A storage is reported as its largest tensor, a parameter before a buffer.
bool better_name(const at::Tensor& tensor, bool parameter, const at::Tensor& than, bool than_parameter) {
  return tensor.numel() != than.numel() ? tensor.numel() > than.numel() : parameter && !than_parameter;
}

struct Reported {
  const RecordedStorage* of;
  StorageProgress* storage = nullptr;
  const RecordedSlot* named = nullptr;
};

// A group has a handful of storages.
Reported& reported(c10::SmallVectorImpl<Reported>& all, const RecordedStorage* storage) {
  const auto found = std::ranges::find(all, storage, &Reported::of);
  return found == all.end() ? all.emplace_back(storage) : *found;
}

std::unique_ptr<Progress> element_progress(Core& core, const Group& group) {
  auto progress = std::make_unique<ElementProgress>(core.tracker);
  c10::SmallVector<Reported, 4> all;
  for (const Member& member : group.members) {
    for (const RecordedSlot& slot : member.record->slots) {
      if (!slot.tensor) continue;
      const at::Tensor& placeholder = slot.tensor->placeholder;
      auto& [of, storage, named] = reported(all, slot.tensor->storage.get());
      if (storage && !better_name(placeholder, slot.parameter, named->tensor->placeholder, named->parameter)) continue;
      if (!storage) storage = &progress->add(slot.tensor->storage->loadable, static_cast<int64_t>(placeholder.storage().nbytes()));
      named = &slot;
      storage->item_bytes = static_cast<int64_t>(placeholder.itemsize());
      storage->layer = member.path();
      storage->slot = slot.name;
      core.tracker.watch(placeholder.storage().unsafeGetStorageImpl(), storage);
    }
  }
  return progress;
}

// A parameter that had no shape when it was recorded is nobody's to load.
bool has_placeholder(const Core& core, const Member& member, std::string_view name) {
  const RecordedSlot* recorded = member.record->find(name);
  return core.policy.records == Records::lent || !recorded || recorded->tensor;
}

void wrap_member(Core& core, const std::shared_ptr<Update>& update, Group& group, size_t index) {
  const model::LayerPtr layer = group.members[index].layer.lock();
  model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
    if (waits_for(core, *layer, slot.name) && has_placeholder(core, group.members[index], slot.name))
      wrap(core, update, group, index, slot.name, layer, slot.handle);
  });
}

// Whether anything may bring helper tensors back, or copy into them. Otherwise they go when something takes their place.
bool looks_back(const LayerwisePolicy& policy) {
  return policy.derived == Derived::in_place || policy.failed_load == FailedLoad::undo || policy.abort != Abort::none ||
         policy.misuse == Misuse::error;
}

void place(const Core& core, model::Layer& layer, Member& member, Placeholders& placeholders) {
  if (looks_back(core.policy)) member.kernel_extra = layer.extra;
  member.post_load_done = layer.post_load_done;
  const bool stays = core.policy.records == Records::lent && skips_layer(layer);
  if (core.policy.names == Names::keep && !stays) return place_kept(layer, member, placeholders);
  member.kernel_parameters = layer.parameters;
  member.kernel_buffers = layer.buffers;
  if (!stays) place_reregistered(layer, member, placeholders);
}

// Where it fails the group stands on placeholders that nobody waits for.
Status arm(Core& core, const std::shared_ptr<Update>& update, Group& group) {
  Placeholders placeholders(core.policy);
  for (Member& member : group.members) place(core, *member.layer.lock(), member, placeholders);
  if (core.policy.completion == Completion::elements) {
    group.progress = element_progress(core, group);
  } else {
    RELOADLAB_ASSIGN(group.progress, numel_progress(core, group));
  }
  for (size_t member = 0; member < group.members.size(); ++member) wrap_member(core, update, group, member);
  group.state = Group::State::armed;
  for (const Member& member : group.members) core.tell(model::EngineEventKind::armed, member.path());
  return {};
}

std::shared_ptr<Update> begin_update(Core& core) {
  if (core.kept_update) return core.kept_update;
  auto update = std::make_shared<Update>(core.policy.gather);
  core.update = update;
  if (core.policy.lifetime == Lifetime::registry) core.kept_update = update;
  return update;
}

// Names that no layer takes come through the model's hook. The hook also is what keeps the update alive: it dies with the model.
void hear_unexpected_names(Core& core, const std::shared_ptr<Update>& update, model::Model& model) {
  if (core.policy.unexpected == Coverage::silent && core.policy.lifetime == Lifetime::registry) return;
  if (!update->hooked) update->on_unexpected_before = std::move(model.on_unexpected_name);
  update->hooked = true;
  model.on_unexpected_name = [shared = core.shared_from_this(), update](std::string_view name) {
    return shared->cover(shared->policy.unexpected, model::EngineEventKind::unexpected, name, {}, 0, "no layer takes this name");
  };
}

}  // namespace

Status prepare(Core& core, model::Model& model) {
  RELOADLAB_TRY(may_begin(core, model));
  core.registry.purge();
  stop_learning(core, model);
  std::shared_ptr<Update> update = begin_update(core);
  update->open = true;
  switch_flag_off(*update, model);
  form_groups(core, *update, model);
  for (const auto& group : update->groups) {
    const bool alive = !group->members.front().layer.expired();
    if (alive && group->state != Group::State::armed) RELOADLAB_TRY(arm(core, update, *group));
  }
  hear_unexpected_names(core, update, model);
  return {};
}

}  // namespace reloadlab::layerwise
