#include "reference/model/transpose_tile.h"

#include <algorithm>

namespace reloadlab::model {
namespace {

constexpr int64_t numel_least = 60 * 60;

int64_t tile_bytes(DType dtype) {
  const int64_t edge = dtype == DType::u8 ? 120 : 60;
  return edge * edge * dtype_size(dtype);
}

Shape dense_strides(const Shape& shape) {
  Shape strides(shape.size());
  int64_t next = 1;
  for (size_t dim = shape.size(); dim-- > 0; next *= shape[dim]) strides[dim] = next;
  return strides;
}

// A dimension of one has no say.
bool row_by_row(const Lying& tensor) {
  int64_t next = 1;
  for (size_t dim = tensor.shape.size(); dim-- > 0; next *= tensor.shape[dim])
    if (tensor.shape[dim] != 1 && tensor.strides[dim] != next) return false;
  return true;
}

// Here it has.
bool column_by_column(const Lying& tensor) {
  return tensor.shape.size() == 2 && tensor.strides[0] == 1 && tensor.strides[1] == tensor.shape[0];
}

Shape last_two(const Shape& shape) { return {shape.end() - 2, shape.end()}; }

}  // namespace

int64_t copy_tile_bytes(const Lying& to, const Lying& from) {
  const bool tiled = column_by_column(from) && row_by_row(to) && to.shape == from.shape && to.dtype == from.dtype;
  return tiled && numel(from.shape) >= numel_least ? tile_bytes(from.dtype) : 0;
}

int64_t loader_tile_bytes(const Lying& loaded, const SlotSpec& slot, const std::vector<Placement>& placements) {
  if (!column_by_column(loaded) || slot.shape.size() < 2) return 0;
  const Shape strides = last_two(slot.strides.empty() ? dense_strides(slot.shape) : slot.strides);
  int64_t most = 0;
  for (const Placement& box : placements) {
    const Shape extent = last_two(box.extent);  // dimensions before them are one each: a matrix of a stack
    most = std::max(most, copy_tile_bytes({extent, strides, slot.dtype}, {extent, loaded.strides, loaded.dtype}));
  }
  return most;
}

}  // namespace reloadlab::model
