#include "sim/replay/laid.h"

#include <algorithm>
#include <numeric>

namespace reloadlab::sim {
namespace {

using Layout = LoadPlan::Layout;

constexpr int64_t before_it = 16;  // elements: a whole number of alignments for every element type but one-byte ones
constexpr int64_t step = 2;
constexpr int64_t alignment = 64;

}  // namespace

int64_t in_chunk(int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

Laid::Laid(const Shape& shape, Layout layout) : strides(shape.size()), span(numel(shape)) {
  std::vector<size_t> inner_first(shape.size());
  std::iota(inner_first.rbegin(), inner_first.rend(), size_t{0});
  if (layout == Layout::transposed) std::ranges::reverse(inner_first);
  const bool gaps = layout == Layout::strided && !shape.empty();
  int64_t next = gaps ? step : 1;
  for (size_t dim : inner_first) {
    strides[dim] = next;
    next *= shape[dim];
  }
  if (gaps) span *= step;
  if (layout != Layout::offset) return;
  offset = before_it;
  span += before_it;
}

}  // namespace reloadlab::sim
