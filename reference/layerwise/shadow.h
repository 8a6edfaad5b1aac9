#pragma once
// shadow=keep: a copy, in checkpoint layout, of the tensors whose post-load step does more than permute. The kernel's bytes do not say
// what was loaded (a quantized weight); the copy does, and so an update that brings only a part of such a layer can be completed.
//
//   first load ends        a copy of what it left, before the first post-load step
//   a group is processed   a copy of what its tensors hold before the step, beside the one of before
//   the update ends well   the new copies take the place of the old ones (under other policies than abort=backup: when the group is done)
//   it is abandoned        the new copies go; the old ones have been there all the time
//
// Slots that share a storage share its copy. Copies belong to the gates on the layers' handles, so that they die with the layers. Where
// no first load was seen, the first update has to bring the layer whole.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

// Whether old values of the slot can be read from the kernel tensor: its post-load step permutes at most. Deferred layers' own steps
// derive from the layer's tensors and leave them alone; nothing touches skipped ones.
bool permutes_at_most(const model::Layer& layer, const RecordedSlot& slot);
// Of the layer's shadow; undefined when there is none.
at::Tensor shadow_of(const LayerRecord& record, std::string_view slot);

// What the gates of the layer keep; null under shadow=none and where every slot can be read from the kernel.
std::shared_ptr<Shadow> shared_shadow(const Core& core, const model::Layer& layer, LayerRecord& record);
void shadow_first_load(const Core& core, const model::Model& model);
// One set of copies for the group.
int64_t shadow_bytes(const Core& core, const Group& group);
// Copies what the group's materialized tensors hold.
void take_shadow(const Core& core, Group& group);
void adopt_shadow(Group& group);

}  // namespace reloadlab::layerwise
