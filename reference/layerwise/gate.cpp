#include "reference/layerwise/gate.h"

#include <fmt/format.h>

#include "reference/layerwise/core.h"
#include "reference/layerwise/learn.h"
#include "reference/layerwise/load.h"
#include "reference/layerwise/shadow.h"

namespace reloadlab::layerwise {
namespace {

struct Gate {
  std::shared_ptr<Core> core;
  std::weak_ptr<model::Layer> layer;
  std::string slot;
  model::LoaderPtr original;  // null: the default loader
  // Of every layer that has the handle; kept for their sake, and not looked at.
  mutable std::set<std::shared_ptr<Shadow>> shadows;

  Status operator()(model::Layer* self, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) const {
    const model::Loader& behind = original ? *original : *model::default_weight_loader();
    auto pass = [&] { return behind.function(self, destination, loaded, args); };
    if (core->closed) return pass();
    model::LayerPtr alive = layer.lock();
    if (core->first_load) return learn(*core, alive, pass);
    std::shared_ptr<Update> update = core->open_update();
    Group* group = update ? update->find(alive) : nullptr;
    if (!group) return misuse(update ? "the layer is no part of the update" : "no reload has begun");
    const LoadCall call{*group, group->index_of(*alive), slot, loaded, args};
    if (group->state == Group::State::committed) return late_load(*core, call);
    const RecordedSlot* recorded = call.layer().record->find(slot);
    if (!recorded || !recorded->skipped || group->state != Group::State::armed)
      return misuse("the handle was taken before the reload began");
    const model::ParameterPtr placeholder = recorded->tensor->fresh();
    return take_load(*core, *update, call, behind, *placeholder);
  }

  Status misuse(std::string_view why) const {
    const model::LayerPtr alive = layer.lock();
    return Status(Code::misuse, fmt::format("load of {}.{}: {}", alive ? alive->path() : "", slot, why));
  }
};

const Gate* gate_of(const model::LoaderPtr& loader) { return loader ? loader->function.target<Gate>() : nullptr; }

void install_gate(Core& core, const model::LayerPtr& layer, const std::string& slot, model::Parameter& handle) {
  if (gate_of(handle.loader)) return;
  model::Loader gate = handle.loader ? *handle.loader : model::Loader{.name = model::default_weight_loader()->name};
  gate.function = Gate{core.shared_from_this(), layer, slot, handle.loader};
  handle.loader = std::make_shared<const model::Loader>(std::move(gate));
}

}  // namespace

model::LoaderPtr ungated(const model::LoaderPtr& loader) {
  const Gate* gate = gate_of(loader);
  return gate ? gate->original : loader;
}

bool is_taken_over(const model::LoaderPtr& loader) {
  model::LoaderPtr each = loader;
  while (each && !gate_of(each)) each = each->wrapped;
  return each && each != loader;
}

void install_gates(Core& core, const model::LayerPtr& layer) {
  const std::shared_ptr<LayerRecord> record = core.registry.find(layer);
  const std::shared_ptr<Shadow> shadow = shared_shadow(core, *layer, *record);
  for (const RecordedSlot& slot : record->slots) {
    model::ParameterPtr handle = slot.tensor ? layer->tensor(slot.name) : nullptr;
    if (!handle) continue;
    watch_first_load(core, *handle, slot.tensor);
    install_gate(core, layer, slot.name, *handle);
    if (shadow) gate_of(handle->loader)->shadows.insert(shadow);
  }
}

void install_gates(Core& core, model::Model& model) {
  for (const model::LayerPtr& layer : model.layers()) install_gates(core, layer);
}

}  // namespace reloadlab::layerwise
