#pragma once
// What a delivered tensor takes by the way in which it arrives, as arithmetic.
#include "sim/replay/memory_model.h"
#include "sim/replay/sequence.h"

namespace reloadlab::sim {

// Which memory each tensor comes in: its own, or its chunk's where chunks have buffers of their own.
int source_of(const Step& step, const std::vector<Sent>& sent, size_t position);

// Memory that the load takes once it has been accepted: the tensor's, with the gaps of its layout, or a dense copy of it where the
// transport owns what it sends.
int64_t held_bytes(const Catalogue& catalogue, const Step& step, const Sent& sent, bool transport_owns);

// The tensor is copied where the transport owns it, and loaded from as it lies. REQUIRES a delivery.
MemoryModel::Tiles tiles_of(const Catalogue& catalogue, model::TensorParallel tp, const Sent& sent, bool transport_owns);

}  // namespace reloadlab::sim
