#pragma once
// abort=backup: a copy of everything that a group's kernel tensors hold, taken before anything is written to them.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

int64_t kernel_bytes(const Group& group);
// All of it, or nothing where it throws.
void take_backup(Group& group, Gather gather);
// Adds one tensor that is about to be overwritten and is not among the kernel tensors.
void back_up(Group& group, const at::Tensor& tensor);
// Writes the copy back where it came from. May throw, and may then be called again.
void restore_backup(Group& group);
// Host copies and helper tensors of the layer, as they were when it was armed.
void restore_extra(Member& member);

}  // namespace reloadlab::layerwise
