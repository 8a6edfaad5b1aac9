#pragma once
// Which bytes of its storage a tensor covers: a product of progressions, start + Σ i_k · stride_k with 0 <= i_k < count_k, strides
// descending, every byte once. Everything is counted in bytes, so that a view with another element type needs no rule of its own.
//
//   weight [4, 6] of bf16, contiguous       start 0,  {48 × 1}
//   weight.narrow(0, 1, 2)                  start 12, {24 × 1}
//   weight.narrow(1, 2, 3)                  start 4,  {4 × 12, 6 × 1}
//   weight.slice(1, 0, 6, 2)                start 0,  {12 × 4, 2 × 1}
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "reference/base/status.h"
#include "reference/layerwise/accounting/few.h"

namespace reloadlab::layerwise {

struct Progression {
  int64_t count = 1;
  int64_t stride = 0;
  bool operator==(const Progression&) const = default;
};

// Dimensions that do not merge, the bytes of an element included. Tensors with more are enumerated.
inline constexpr size_t kDims = 8;

struct Footprint {
  int64_t start = 0;
  Few<Progression, kDims> dims;  // strides descending; no count is 1; none: one byte, unless empty
  bool empty = false;

  int64_t bytes() const;
  bool operator==(const Footprint& other) const { return start == other.start && dims == other.dims && empty == other.empty; }
};

// A run of `bytes` from `start`.
Footprint run_of(int64_t start, int64_t bytes);

// What the tensor covers: one footprint nearly always; sorted runs where strides interleave. Code::rejected when elements of the
// tensor share bytes (expanded, self-overlapping) or lie outside the storage, both of which the meta device accepts in silence.
Status append_footprints(const at::Tensor& tensor, std::vector<Footprint>& out);

// Sorted, merged runs from unsorted byte offsets of items of `bytes` each. Sorts in place.
void append_runs(std::vector<int64_t>& offsets, int64_t bytes, std::vector<Footprint>& out);

}  // namespace reloadlab::layerwise
