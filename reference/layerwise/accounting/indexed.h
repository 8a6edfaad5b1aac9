#pragma once
// Write sets of operators that write where index tensors or masks say. Indices are read by value, so they have to be on the host.
#include <ATen/core/ivalue.h>

#include <vector>

#include "reference/layerwise/accounting/footprint.h"

namespace reloadlab::layerwise {

// tensor.index_put_(indices, …): leading Long tensors of one shape, or one mask over the leading dimensions.
Status append_index_put(const at::Tensor& tensor, const c10::IValue& indices, std::vector<Footprint>& out);
// tensor.index_copy_(dim, index, …)
Status append_index_dim(const at::Tensor& tensor, int64_t dim, const at::Tensor& index, std::vector<Footprint>& out);
// tensor.masked_fill_(mask, …); the mask broadcasts.
Status append_masked(const at::Tensor& tensor, const at::Tensor& mask, std::vector<Footprint>& out);

}  // namespace reloadlab::layerwise
