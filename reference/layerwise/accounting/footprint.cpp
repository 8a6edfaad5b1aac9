#include "reference/layerwise/accounting/footprint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace reloadlab::layerwise {
namespace {

// Above this many elements interleaved strides are not enumerated.
constexpr int64_t kEnumerated = int64_t{1} << 24;

Status refuse(const at::Tensor& tensor, std::string_view what) {
  return Status(Code::rejected,
                fmt::format("a write to a destination that {} (shape [{}], strides [{}], offset {}) cannot be accounted for", what,
                            fmt::join(tensor.sizes(), ", "), fmt::join(tensor.strides(), ", "), tensor.storage_offset()));
}

// Dimensions that matter, in bytes, strides descending, the bytes of one element last. False: there are too many.
bool collect_dims(const at::Tensor& tensor, Footprint& out) {
  const int64_t item = static_cast<int64_t>(tensor.itemsize());
  const at::IntArrayRef sizes = tensor.sizes(), strides = tensor.strides();
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    if (sizes[dim] == 1) continue;
    if (out.dims.size() + 1 == kDims) return false;
    const Progression added{sizes[dim], strides[dim] * item};
    size_t place = out.dims.size();
    while (place > 0 && out.dims[place - 1].stride < added.stride) --place;
    out.dims.insert(place, added);
  }
  if (item > 1) out.dims.push_back({item, 1});
  return true;
}

// True when each progression's step is beyond everything inside it: then no byte is covered twice.
bool nested(const Footprint& footprint) {
  int64_t inside = 1;
  for (size_t i = footprint.dims.size(); i > 0; --i) {
    const Progression& dim = footprint.dims[i - 1];
    if (dim.stride < inside) return false;
    inside += (dim.count - 1) * dim.stride;
  }
  return true;
}

// Joins neighbours that continue each other: {4 × 12, 12 × 1} is {48 × 1}.
void merge_dims(Footprint& footprint) {
  auto& dims = footprint.dims;
  size_t kept = 0;
  for (size_t i = 1; i < dims.size(); ++i) {
    if (dims[kept].stride == dims[i].count * dims[i].stride) {
      dims[kept] = {dims[kept].count * dims[i].count, dims[i].stride};
    } else {
      dims[++kept] = dims[i];
    }
  }
  dims.truncate(kept + 1);
}

int64_t end_of(const at::Tensor& tensor) {
  int64_t last = tensor.storage_offset();
  for (int64_t dim = 0; dim < tensor.dim(); ++dim) last += (tensor.size(dim) - 1) * tensor.stride(dim);
  return (last + 1) * static_cast<int64_t>(tensor.itemsize());
}

void enumerate(const at::Tensor& tensor, std::vector<int64_t>& offsets) {
  const int64_t item = static_cast<int64_t>(tensor.itemsize());
  offsets.assign(1, tensor.storage_offset() * item);
  for (int64_t dim = 0; dim < tensor.dim(); ++dim) {
    const size_t before = offsets.size();
    for (int64_t i = 1; i < tensor.size(dim); ++i)
      for (size_t j = 0; j < before; ++j) offsets.push_back(offsets[j] + i * tensor.stride(dim) * item);
  }
}

Status append_enumerated(const at::Tensor& tensor, std::vector<Footprint>& out) {
  if (tensor.numel() > kEnumerated) return refuse(tensor, "interleaves its dimensions");
  std::vector<int64_t> offsets;
  enumerate(tensor, offsets);
  std::sort(offsets.begin(), offsets.end());
  const int64_t item = static_cast<int64_t>(tensor.itemsize());
  for (size_t i = 1; i < offsets.size(); ++i)
    if (offsets[i] - offsets[i - 1] < item) return refuse(tensor, "overlaps itself");
  append_runs(offsets, item, out);
  return {};
}

}  // namespace

int64_t Footprint::bytes() const {
  if (empty) return 0;
  int64_t count = 1;
  for (const Progression& dim : dims) count *= dim.count;
  return count;
}

Footprint run_of(int64_t start, int64_t bytes) {
  Footprint run{.start = start, .empty = bytes == 0};
  if (bytes > 1) run.dims.push_back({bytes, 1});
  return run;
}

Status append_footprints(const at::Tensor& tensor, std::vector<Footprint>& out) {
  if (tensor.numel() == 0) return {};
  if (end_of(tensor) > static_cast<int64_t>(tensor.storage().nbytes())) return refuse(tensor, "reaches beyond its storage");
  for (int64_t dim = 0; dim < tensor.dim(); ++dim)
    if (tensor.stride(dim) == 0 && tensor.size(dim) > 1) return refuse(tensor, "is expanded");
  Footprint footprint{.start = tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize())};
  if (!collect_dims(tensor, footprint) || !nested(footprint)) return append_enumerated(tensor, out);
  merge_dims(footprint);
  out.push_back(std::move(footprint));
  return {};
}

void append_runs(std::vector<int64_t>& offsets, int64_t bytes, std::vector<Footprint>& out) {
  std::sort(offsets.begin(), offsets.end());
  for (size_t first = 0; first < offsets.size();) {
    size_t next = first + 1;
    int64_t end = offsets[first] + bytes;
    for (; next < offsets.size() && offsets[next] <= end; ++next) end = std::max(end, offsets[next] + bytes);
    out.push_back(run_of(offsets[first], end - offsets[first]));
    first = next;
  }
}

}  // namespace reloadlab::layerwise
