#include "reference/layerwise/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "reference/base/check.h"

namespace reloadlab::layerwise {

size_t Group::index_of(const model::Layer& layer) const {
  size_t index = 0;
  while (index < members.size() && members[index].layer.lock().get() != &layer) ++index;
  RELOADLAB_CHECK(index < members.size(), "layer " + layer.path() + " is in another group");
  return index;
}

Group* Update::find(const model::LayerPtr& layer) {
  const auto found = std::ranges::lower_bound(by_layer, layer, std::owner_less<>(), &decltype(by_layer)::value_type::first);
  return found == by_layer.end() || found->first.owner_before(layer) || layer.owner_before(found->first) ? nullptr : found->second;
}

std::shared_ptr<Update> Core::open_update() const {
  std::shared_ptr<Update> current = update.lock();
  return current && current->open ? current : nullptr;
}

std::shared_ptr<LayerRecord> Core::record_of(const model::LayerPtr& layer) {
  if (std::shared_ptr<LayerRecord> record = registry.find(layer)) return record;
  if (policy.lifetime == Lifetime::registry)
    layer->kept.emplace_back(nullptr, [weak = weak_from_this()](void*) {
      if (const std::shared_ptr<Core> core = weak.lock()) core->forget_the_dead();
    });
  return registry.make(layer);
}

// What is let go of may be the last to hold other layers, which come here too: everything is in order again before it goes.
void Core::forget_the_dead() {
  const std::vector<std::shared_ptr<LayerRecord>> records = registry.purge();
  std::vector<Group> dead;
  const std::shared_ptr<Update> kept_for_all = kept_update;
  if (!kept_for_all) return;
  for (const auto& group : kept_for_all->groups) {
    if (!std::ranges::all_of(group->members, [](const Member& member) { return member.layer.expired(); })) continue;
    Group named;
    named.members.push_back({.record = std::make_shared<LayerRecord>(LayerRecord{.path = group->members.front().path()})});
    dead.push_back(std::exchange(*group, std::move(named)));
  }
}

void Core::tell(model::EngineEventKind kind, std::string_view layer, std::string_view slot, int64_t numel, std::string_view detail) const {
  if (options.observer && !closed) options.observer->on({kind, layer, slot, numel, detail});
}

void Core::spoil(const Group& group) {
  for (const Member& member : group.members) spoiled.insert(member.layer);
}

void Core::heal(const Update& finished) {
  for (const auto& group : finished.groups)
    if (group->progress && group->progress->complete())
      for (const Member& member : group->members) spoiled.erase(member.layer);
}

bool Core::unusable() const {
  return std::any_of(spoiled.begin(), spoiled.end(), [](const auto& layer) { return !layer.expired(); });
}

Status Core::cover(Coverage policy_of_kind, model::EngineEventKind kind, std::string_view layer, std::string_view slot, int64_t numel,
                   std::string_view detail) const {
  if (policy_of_kind == Coverage::silent) return {};
  tell(kind, layer, slot, numel, detail);
  if (policy_of_kind == Coverage::warn) tell(model::EngineEventKind::warning, layer, slot, numel, detail);
  if (policy_of_kind != Coverage::reject) return {};
  const std::string name = slot.empty() ? std::string(layer) : fmt::format("{}.{}", layer, slot);
  return Status(Code::rejected, fmt::format("{}: {} elements, {}", name, numel, detail));
}

}  // namespace reloadlab::layerwise
