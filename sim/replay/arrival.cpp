#include "sim/replay/arrival.h"

#include <algorithm>

#include "reference/model/transpose_tile.h"
#include "sim/replay/laid.h"

namespace reloadlab::sim {
namespace {

const model::Delivery& delivery_of(const Catalogue& catalogue, const Sent& sent) {
  return catalogue.deliveries()[static_cast<size_t>(sent.delivery)];
}

}  // namespace

int source_of(const Step& step, const std::vector<Sent>& sent, size_t position) {
  const bool of_chunk = step.plan.chunk > 0 && !step.plan.transport_owns();
  return of_chunk ? sent[position].chunk : static_cast<int>(position);
}

int64_t held_bytes(const Catalogue& catalogue, const Step& step, const Sent& sent, bool transport_owns) {
  if (sent.delivery < 0) return 0;
  const model::Delivery& delivery = delivery_of(catalogue, sent);
  if (transport_owns) return numel(sent.shape_of(delivery)) * dtype_size(sent.dtype_of(delivery));
  return step.plan.chunk > 0 ? in_chunk(sent.bytes_of(delivery)) : sent.bytes_of(delivery);
}

MemoryModel::Tiles tiles_of(const Catalogue& catalogue, model::TensorParallel tp, const Sent& sent, bool transport_owns) {
  const model::Delivery& delivery = delivery_of(catalogue, sent);
  const int layer = catalogue.layer_of(sent.delivery);
  const model::LayerSpec& spec = catalogue.layer(layer);
  const model::LayerKind& kind = catalogue.kind(layer);
  const int64_t counting = kind.counting_scratch_bytes(spec, delivery);
  if (sent.layout != LoadPlan::Layout::transposed) return {.kept = counting};
  const std::vector<model::SlotSpec> slots = kind.slots(spec, tp);
  const model::SlotSpec* slot = model::find_slot(slots, delivery.slot);
  const Shape shape = sent.shape_of(delivery);
  const model::Lying loaded{shape, Laid(shape, sent.layout).strides, sent.dtype_of(delivery)};
  return {.replayed = slot ? model::loader_tile_bytes(loaded, *slot, kind.placements(spec, delivery, tp)) : 0,
          .kept = std::max(counting, transport_owns ? model::clone_tile_bytes(loaded) : 0)};
}

}  // namespace reloadlab::sim
