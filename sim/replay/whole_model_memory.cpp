#include "sim/replay/whole_model_memory.h"

#include <algorithm>

#include "reference/model/quant/step_helpers.h"
#include "sim/replay/memory_model.h"

namespace reloadlab::sim {
namespace {

using model::SlotSpec;

bool holds_parameter(const SlotSpec& slot) { return slot.kind == SlotSpec::Kind::parameter; }

int64_t slot_bytes(const SlotSpec& slot) { return numel(slot.shape) * dtype_size(slot.dtype); }

const model::QuantInfo& quant_of(const Catalogue& catalogue, int layer) { return *model::find_quant_method(catalogue.layer(layer).quant); }

}  // namespace

WholeModelMemory::WholeModelMemory(const Catalogue& catalogue, model::TensorParallel tp, bool every_tie)
    : catalogue_(catalogue), tp_(tp), every_tie_(every_tie) {
  for (int layer = 0; layer < catalogue.layer_count(); ++layer) {
    quantizes_ = quantizes_ || catalogue.layer(layer).quant != "none";
    restore(layer);
  }
  finish_peak_ = live_ = restored_;
  for (int layer = 0; layer < catalogue.layer_count(); ++layer) quantize(layer);
  for (int layer = 0; layer < catalogue.layer_count(); ++layer) see(own_step_bytes(layer));
}

// Follows ties, of which there may be ties.
std::string WholeModelMemory::first_name(int layer, const SlotSpec& slot) const {
  const std::string path = catalogue_.layer(layer).name + "." + slot.name;
  if (!slot.alias_of) return path;
  const auto [other, name] = model::split_slot_path(model::resolve_alias(catalogue_.model(), catalogue_.layer(layer), *slot.alias_of));
  const int there = catalogue_.find_layer(other);
  const Slots slots = slots_of(there);
  return first_name(there, *model::find_slot(slots, name));
}

bool WholeModelMemory::is_restored(const SlotSpec& slot) const { return holds_parameter(slot) && (!slot.alias_of || every_tie_); }

// A name that quantization took away has nothing to restore.
void WholeModelMemory::restore(int layer) {
  const Slots slots = slots_of(layer), now = quant_of(catalogue_, layer).results(slots);
  for (const SlotSpec& slot : slots) {
    if (!is_restored(slot) || !model::find_slot(now, slot.name)) continue;
    Fresh& fresh = fresh_[first_name(layer, slot)];
    if (fresh.names++ > 0) continue;
    fresh.bytes = slot_bytes(slot);
    restored_ += fresh.bytes;
  }
}

// The layer's tensors as its post-load step finds them.
WholeModelMemory::Slots WholeModelMemory::before_step(int layer) const {
  Slots slots = slots_of(layer);
  const Slots quantized = quant_of(catalogue_, layer).results(slots);
  for (SlotSpec& slot : slots)
    if (const SlotSpec* now = model::find_slot(quantized, slot.name); now && !is_restored(slot)) slot = *now;
  return slots;
}

// What is more afterwards: the new tensor, less the restored one that no other name holds. One that was there before prepare stays.
int64_t WholeModelMemory::replaced(int layer, const SlotSpec& loaded, int64_t after_bytes) {
  if (!is_restored(loaded)) return after_bytes;
  Fresh& fresh = fresh_.at(first_name(layer, loaded));
  return after_bytes - (--fresh.names == 0 ? fresh.bytes : 0);
}

void WholeModelMemory::quantize(int layer) {
  const model::QuantInfo& quant = quant_of(catalogue_, layer);
  if (quant.id == "none") return;
  const Slots loaded = slots_of(layer), before = before_step(layer);
  int64_t beside = quant.extra_bytes(before);
  for (const SlotSpec& helper : model::step_helpers(quant.id)) beside += model::storage_bytes(helper);
  see(beside);
  for (const SlotSpec& after : quant.results(before)) {
    if (!holds_parameter(after) || quant.permutes(after.name)) continue;  // what takes the place of as much
    const SlotSpec* was = model::find_slot(loaded, after.name);
    live_ += was ? replaced(layer, *was, model::storage_bytes(after)) : model::storage_bytes(after);
  }
}

void WholeModelMemory::see(int64_t beside) { finish_peak_ = std::max(finish_peak_, live_ + beside); }

// Each helper takes the place of the one before it.
int64_t WholeModelMemory::own_step_bytes(int layer) const {
  int64_t most = 0;
  for (const SlotSpec& helper : catalogue_.kind(layer).helpers(catalogue_.layer(layer), tp_))
    most = std::max(most, model::storage_bytes(helper));
  return most + read_bytes(catalogue_, layer, tp_);
}

}  // namespace reloadlab::sim
