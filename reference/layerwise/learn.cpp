#include "reference/layerwise/learn.h"

#include "reference/layerwise/core.h"
#include "reference/layerwise/gate.h"
#include "reference/model/guard.h"

namespace reloadlab::layerwise {
namespace {

size_t slot_count(const model::Layer& layer) { return layer.parameters.size() + layer.buffers.size(); }

void record_late(Core& core, const model::LayerPtr& layer) {
  Recorder recorder(core.policy);
  recorder.record(layer, *core.record_of(layer));
  install_gates(core, layer);
}

// A tensor whose storage was exchanged in the first load has been written where nobody looked.
bool still_watched(const Core& core, const model::Layer& layer, const RecordedSlot& slot) {
  model::ParameterPtr handle = layer.tensor(slot.name);
  return handle && core.learner.watches(handle->tensor.storage().unsafeGetStorageImpl());
}

void expect_everything(const RecordedTensor& tensor) {
  std::vector<Footprint> footprints;
  if (!tensor.parameter || !append_footprints(tensor.placeholder, footprints).ok()) return;
  for (const Footprint& footprint : footprints) tensor.storage->loadable.add(footprint);
}

}  // namespace

void watch_first_load(Core& core, const model::Parameter& handle, const std::shared_ptr<RecordedTensor>& recorded) {
  core.learner.watch(handle.tensor.storage().unsafeGetStorageImpl(), recorded->storage.get());
  core.learning.push_back(recorded->storage);
}

Status learn(Core& core, const model::LayerPtr& layer, c10::function_ref<Status()> call) {
  const size_t slots_before = layer ? slot_count(*layer) : 0;
  core.learner.start();
  Status status;
  {
    model::TapGuard tap(model::Tap::engine, core.learner);
    status = call();
  }
  core.first_load_seen = true;
  for (void* lost : core.learner.lost()) static_cast<RecordedStorage*>(lost)->loadable_known = false;
  if (!status.ok()) return status;
  for (const Write& write : core.learner.writes()) static_cast<RecordedStorage*>(write.watched)->loadable.add(write.footprint);
  if (layer && slot_count(*layer) > slots_before) record_late(core, layer);
  return status;
}

void stop_learning(Core& core, const model::Model& model) {
  if (!std::exchange(core.first_load, false)) return;
  std::vector<const RecordedTensor*> unknown;
  for (const model::LayerPtr& layer : model.layers()) {
    const std::shared_ptr<LayerRecord> record = core.registry.find(layer);
    if (!record) continue;
    for (const RecordedSlot& slot : record->slots) {
      if (!slot.tensor || !slot.tensor->storage) continue;
      if (!core.first_load_seen || !still_watched(core, *layer, slot)) slot.tensor->storage->loadable_known = false;
      unknown.push_back(slot.tensor.get());
    }
  }
  for (const RecordedTensor* tensor : unknown)
    if (!tensor->storage->loadable_known) expect_everything(*tensor);
  core.learner.unwatch_all();
  core.learning.clear();
}

}  // namespace reloadlab::layerwise
