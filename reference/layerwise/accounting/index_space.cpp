#include "reference/layerwise/accounting/index_space.h"

#include <algorithm>

namespace reloadlab::layerwise {

IndexSpace::IndexSpace(const at::Tensor& tensor) : IndexSpace() {
  Footprint dims;
  for (int64_t dim = 0; dim < tensor.dim(); ++dim) {
    if (tensor.size(dim) == 1 || dims.dims.size() == kDims) continue;
    dims.dims.push_back({tensor.size(dim), tensor.stride(dim) * static_cast<int64_t>(tensor.itemsize())});
  }
  std::sort(dims.dims.begin(), dims.dims.end(), [](const Progression& a, const Progression& b) { return a.stride > b.stride; });
  refine(dims);
}

int IndexSpace::level_of(int64_t stride) const {
  for (size_t level = 0; level < strides_.size(); ++level)
    if (strides_[level] == stride) return static_cast<int>(level);
  return -1;
}

bool IndexSpace::fits(const Footprint& footprint) const {
  return std::all_of(footprint.dims.begin(), footprint.dims.end(), [&](const Progression& dim) { return level_of(dim.stride) >= 0; });
}

void IndexSpace::refine(const Footprint& footprint) {
  for (const Progression& dim : footprint.dims) {
    if (dim.stride <= 0 || level_of(dim.stride) >= 0 || strides_.size() == kDims) continue;
    auto finer = std::find_if(strides_.begin(), strides_.end(), [&](int64_t stride) { return stride < dim.stride; });
    const bool divides = dim.stride % *finer == 0 && (finer == strides_.begin() || *(finer - 1) % dim.stride == 0);
    if (divides) strides_.insert(finer, dim.stride);
  }
  radices_.assign(1, INT64_MAX);
  for (size_t level = 1; level < strides_.size(); ++level) radices_.push_back(strides_[level - 1] / strides_[level]);
}

int64_t IndexSpace::bytes(const Box& box) const {
  int64_t count = 1;
  for (const Interval& interval : box) count *= interval.length();
  return count;
}

Footprint IndexSpace::footprint(const Box& box) const {
  Footprint footprint;
  for (size_t level = 0; level < levels(); ++level) {
    footprint.start += box[level].begin * strides_[level];
    if (box[level].length() == 0) footprint.empty = true;
    if (box[level].length() > 1) footprint.dims.push_back({box[level].length(), strides_[level]});
  }
  return footprint;
}

}  // namespace reloadlab::layerwise
