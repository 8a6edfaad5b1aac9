#include "reference/layerwise/grouping.h"

#include <algorithm>
#include <deque>
#include <numeric>

namespace reloadlab::layerwise {
namespace {

// Union-find over layer indices; the smallest index stands for its set, so that groups keep module order.
class Sets {
 public:
  explicit Sets(size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), size_t{0}); }
  size_t find(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(size_t a, size_t b) {
    a = find(a), b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::deque<size_t> parent_;
};

// Calls fn(storage) for every storage that the layer had when it was recorded or has now.
template <class Fn>
void for_each_storage(const model::Layer& layer, const LayerRecord& record, Fn&& fn) {
  for (const RecordedSlot& slot : record.slots)
    if (slot.tensor && slot.tensor->placeholder.defined()) fn(slot.tensor->placeholder.storage().unsafeGetStorageImpl());
  model::for_each_tensor(layer, [&](const model::Slot& slot, bool) {
    if (slot.handle->tensor.defined()) fn(slot.handle->tensor.storage().unsafeGetStorageImpl());
  });
}

// A layer of the update, with its record. Lists of all layers are deques, the update's as well: for one large block glibc's malloc first
// puts together everything small that the last update freed, which took a third of prepare.
struct Recorded {
  model::LayerPtr layer;
  std::shared_ptr<LayerRecord> record;
};

Sets sets_of(const Core& core, const std::deque<Recorded>& layers) {
  Sets sets(layers.size());
  if (core.policy.grouping == Grouping::layer) return sets;
  std::deque<std::pair<const c10::StorageImpl*, size_t>> holders;
  for (size_t i = 0; i < layers.size(); ++i)
    for_each_storage(*layers[i].layer, *layers[i].record, [&](const c10::StorageImpl* storage) { holders.emplace_back(storage, i); });
  std::ranges::sort(holders);  // in whatever order: who holds one storage stands together
  for (size_t i = 1; i < holders.size(); ++i)
    if (holders[i].first == holders[i - 1].first) sets.join(holders[i].second, holders[i - 1].second);
  return sets;
}

void add_member(const Core& core, Group& group, const Recorded& recorded) {
  const auto& [layer, record] = recorded;
  Member& member = group.members.emplace_back();
  member.layer = layer;
  member.record = record;
  group.deferred = group.deferred || is_deferred(core.policy, *layer);
}

}  // namespace

bool is_deferred(const LayerwisePolicy& policy, const model::Layer& layer) {
  const model::LayerKind* kind = layer.kind ? layer.kind : model::find_layer_kind(layer.spec.kind);
  if (policy.derived == Derived::in_place && (layer.own_post_load || (kind && kind->deferred()))) return true;
  return layer.class_name == "Attention" || layer.class_name == "MLAAttention";
}

void form_groups(Core& core, Update& update, const model::Model& model) {
  std::deque<Recorded> layers;
  for (const model::LayerPtr& layer : model.layers())
    if (!update.find(layer)) layers.push_back({layer, core.record_of(layer)});
  Sets sets = sets_of(core, layers);
  std::deque<Group*> groups(layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    Group*& group = groups[sets.find(i)];
    if (!group) group = update.groups.emplace_back(std::make_unique<Group>()).get();
    add_member(core, *group, layers[i]);
    update.by_layer.emplace_back(layers[i].layer, group);
  }
  std::ranges::sort(update.by_layer, std::owner_less<>(), &decltype(update.by_layer)::value_type::first);
}

}  // namespace reloadlab::layerwise
