#pragma once
// A storage's bytes as coordinates: a chain of strides, each a multiple of the next, the last one 1. Byte b has the coordinates
// (b / s0, b % s0 / s1, …). The chain starts with the strides of the storage's tensor and gets finer when a footprint has a stride
// between two of them (a step slice, an unflattened dimension).
//
//   weight [4, 6] of bf16: chain {12, 1}. narrow(1, 2, 3) is the box [0, 4) × [4, 10); the flat range [7, 31) is not a box but
//   three: [0] × [7, 12), [1, 2) × [0, 12), [2] × [0, 7)
#include <cstdint>
#include <vector>

#include "reference/layerwise/accounting/footprint.h"

namespace reloadlab::layerwise {

struct Interval {
  int64_t begin = 0, end = 0;
  int64_t length() const { return end - begin; }
};
using Box = Few<Interval, kDims>;  // one interval a level

class IndexSpace {
 public:
  explicit IndexSpace(const at::Tensor& tensor);
  IndexSpace() : strides_{1}, radices_{INT64_MAX} {}

  size_t levels() const { return strides_.size(); }
  int64_t stride(size_t level) const { return strides_[level]; }
  // How many values a level's coordinate has. The outermost has no bound.
  int64_t radix(size_t level) const { return radices_[level]; }
  // True when every stride of the footprint is in the chain.
  bool fits(const Footprint& footprint) const;
  // Makes the chain finer where that lets the footprint fit.
  void refine(const Footprint& footprint);
  // Calls fn(const Box&) for disjoint boxes that together are the footprint. Strides that cannot be in the chain are written out.
  template <class Fn>
  void for_each_box(const Footprint& footprint, Fn&& fn) const;
  int64_t bytes(const Box& box) const;
  Footprint footprint(const Box& box) const;
  bool operator==(const IndexSpace&) const = default;

 private:
  using Counts = Few<int64_t, kDims>;
  int level_of(int64_t stride) const;  // -1: not in the chain
  template <class Fn>
  void split(const Counts& counts, int64_t start, Fn&& fn) const;
  template <class Fn>
  void split_at(size_t level, int64_t digit, const Counts& counts, int64_t start, Fn& fn) const;

  std::vector<int64_t> strides_;
  std::vector<int64_t> radices_;  // strides_[level - 1] / strides_[level]
};

template <class Fn>
void IndexSpace::for_each_box(const Footprint& footprint, Fn&& fn) const {
  if (footprint.empty) return;
  Counts counts(levels(), 1);
  for (size_t i = 0; i < footprint.dims.size(); ++i) {
    const Progression& dim = footprint.dims[i];
    const int level = level_of(dim.stride);
    if (level >= 0) {
      counts[static_cast<size_t>(level)] = dim.count;
      continue;
    }
    Footprint rest = footprint;
    rest.dims.erase(i);
    for (int64_t step = 0; step < dim.count; ++step, rest.start += dim.stride) for_each_box(rest, fn);
    return;
  }
  split(counts, footprint.start, fn);
}

// Cuts where a level's coordinate would pass its bound: up to the bound, whole turns of it, and what is left.
template <class Fn>
void IndexSpace::split(const Counts& counts, int64_t start, Fn&& fn) const {
  Box box(levels(), {});
  int64_t left = start;
  for (size_t level = 0; level < levels(); ++level) {
    const int64_t digit = strides_[level] == 1 ? left : left / strides_[level];
    left -= digit * strides_[level];
    box[level] = {digit, digit + counts[level]};
  }
  for (size_t level = levels() - 1; level > 0; --level)
    if (box[level].end > radices_[level]) return split_at(level, box[level].begin, counts, start, fn);
  fn(static_cast<const Box&>(box));
}

template <class Fn>
void IndexSpace::split_at(size_t level, int64_t digit, const Counts& counts, int64_t start, Fn& fn) const {
  const int64_t size = radices_[level], count = counts[level];
  Counts whole = counts, rest = counts;
  int64_t taken = size - digit;
  if (digit == 0) {
    taken = count - count % size;
    whole[level - 1] = count / size;
  }
  whole[level] = digit == 0 ? size : taken;
  split(whole, start, fn);
  rest[level] = count - taken;
  if (rest[level] > 0) split(rest, start + taken * strides_[level], fn);
}

}  // namespace reloadlab::layerwise
