#include "reference/layerwise/core.h"

#include <fmt/format.h>

#include <algorithm>

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
