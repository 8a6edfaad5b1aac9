#pragma once
// Extra device bytes, as layerwise.h lists them: what is there now, and what processing a group adds.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

int64_t extra_bytes(const Update& update);
// Materialized tensors, what loaders and post-load steps make, and the copy of the kernel tensors where there is one.
int64_t processing_bytes(const Core& core, const Group& group);
// What copying a loaded tensor takes beside the copy.
int64_t copying_bytes(const at::Tensor& loaded);
// What the layers' own steps take: helper tensors once more, beside the old ones, and values of quantized layers that they read.
int64_t own_step_bytes(const Group& group);
// Code::rejected when `more` would pass the caller's limit.
Status stays_in_limit(const Core& core, const Update& update, int64_t more);

}  // namespace reloadlab::layerwise
