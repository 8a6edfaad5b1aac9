#include "reference/layerwise/accounting/indexed.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::layerwise {
namespace {

Status refuse(std::string_view why) { return Status(Code::rejected, fmt::format("an indexed write cannot be accounted for: {}", why)); }

// Visits every position of `sizes` in row-major order.
template <class Fn>
void for_each_position(at::IntArrayRef sizes, Fn&& fn) {
  std::vector<int64_t> position(sizes.size(), 0);
  int64_t left = 1;
  for (int64_t size : sizes) left *= size;
  for (; left > 0; --left) {
    fn(position);
    for (size_t dim = sizes.size(); dim > 0 && ++position[dim - 1] == sizes[dim - 1]; --dim) position[dim - 1] = 0;
  }
}

template <class T>
T at_position(const at::Tensor& tensor, const std::vector<int64_t>& position) {
  int64_t offset = 0;
  for (size_t dim = 0; dim < position.size(); ++dim) offset += position[dim] * tensor.stride(static_cast<int64_t>(dim));
  return tensor.const_data_ptr<T>()[offset];
}

// Sorted, distinct, in range; negative indices count from the end.
Status read_indices(const at::Tensor& index, int64_t size, std::vector<int64_t>& out) {
  if (!index.device().is_cpu()) return refuse("its indices are not on the host");
  if (index.scalar_type() != at::kLong) return refuse("its indices are not 64-bit integers");
  bool in_range = true;
  for_each_position(index.sizes(), [&](const std::vector<int64_t>& position) {
    const int64_t value = at_position<int64_t>(index, position);
    in_range = in_range && value >= -size && value < size;
    out.push_back(value < 0 ? value + size : value);
  });
  return in_range ? Status() : refuse("an index is out of range");
}

// One slice of the first `dims` dimensions for each tuple of coordinates.
Status append_slices(const at::Tensor& tensor, const std::vector<std::vector<int64_t>>& coordinates, std::vector<Footprint>& out) {
  const size_t count = coordinates.front().size();
  std::vector<std::vector<int64_t>> tuples(count);
  for (size_t i = 0; i < count; ++i)
    for (const auto& axis : coordinates) tuples[i].push_back(axis[i]);
  std::sort(tuples.begin(), tuples.end());
  tuples.erase(std::unique(tuples.begin(), tuples.end()), tuples.end());
  for (const auto& tuple : tuples) {
    at::Tensor slice = tensor;
    for (int64_t coordinate : tuple) slice = slice.select(0, coordinate);
    RELOADLAB_TRY(append_footprints(slice, out));
  }
  return {};
}

}  // namespace

Status append_index_dim(const at::Tensor& tensor, int64_t dim, const at::Tensor& index, std::vector<Footprint>& out) {
  if (tensor.dim() == 0) return append_footprints(tensor, out);
  dim = dim < 0 ? dim + tensor.dim() : dim;
  std::vector<int64_t> rows;
  RELOADLAB_TRY(read_indices(index, tensor.size(dim), rows));
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  for (size_t first = 0; first < rows.size();) {
    size_t next = first + 1;
    while (next < rows.size() && rows[next] == rows[next - 1] + 1) ++next;
    RELOADLAB_TRY(append_footprints(tensor.narrow(dim, rows[first], static_cast<int64_t>(next - first)), out));
    first = next;
  }
  return {};
}

Status append_masked(const at::Tensor& tensor, const at::Tensor& mask, std::vector<Footprint>& out) {
  if (!mask.device().is_cpu()) return refuse("its mask is not on the host");
  if (mask.scalar_type() != at::kBool) return refuse("its mask is not of booleans");
  const at::Tensor wide = mask.expand(tensor.sizes());
  RELOADLAB_TRY(append_footprints(tensor, out));  // refuses destinations that cannot be accounted for
  out.pop_back();
  const int64_t item = static_cast<int64_t>(tensor.itemsize());
  std::vector<int64_t> offsets;
  for_each_position(tensor.sizes(), [&](const std::vector<int64_t>& position) {
    if (!at_position<bool>(wide, position)) return;
    int64_t offset = tensor.storage_offset();
    for (size_t dim = 0; dim < position.size(); ++dim) offset += position[dim] * tensor.stride(static_cast<int64_t>(dim));
    offsets.push_back(offset * item);
  });
  append_runs(offsets, item, out);
  return {};
}

Status append_index_put(const at::Tensor& tensor, const c10::IValue& indices, std::vector<Footprint>& out) {
  std::vector<at::Tensor> given;
  for (const c10::IValue& entry : indices.toListRef()) {
    if (entry.isNone() || !entry.toTensor().defined()) return refuse("a dimension before an indexed one is taken whole");
    given.push_back(entry.toTensor());
  }
  if (given.empty()) return append_footprints(tensor, out);
  if (given.size() == 1 && given[0].scalar_type() == at::kBool) {
    at::Tensor mask = given[0];
    if (mask.dim() > tensor.dim()) return refuse("its mask has too many dimensions");
    while (mask.dim() < tensor.dim()) mask = mask.unsqueeze(-1);
    return append_masked(tensor, mask, out);
  }
  if (given.size() == 1) return append_index_dim(tensor, 0, given[0], out);
  std::vector<std::vector<int64_t>> coordinates(given.size());
  for (size_t axis = 0; axis < given.size(); ++axis) {
    if (given[axis].sizes() != given[0].sizes()) return refuse("its index tensors broadcast");
    RELOADLAB_TRY(read_indices(given[axis], tensor.size(static_cast<int64_t>(axis)), coordinates[axis]));
  }
  return append_slices(tensor, coordinates, out);
}

}  // namespace reloadlab::layerwise
