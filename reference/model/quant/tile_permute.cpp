// What repacking kernels do, in small: the rows of the weight are interleaved in tiles of two halves, into a new tensor under a new
// handle, and a tensor of each row's maximum is derived from it.
//
//   rows 0 1 2 | 3 4 5 | 6   become   0 3 1 4 2 5 6      (an odd last row stays)
//
// The operators have no temporaries of their own, so the peak is exact: the old weight, the new one, and the derived tensor.
#include <ATen/ops/amax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>

#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view tile_source = weight_name;
constexpr std::string_view derived_name = "weight_row_max";

// Where row `row` of the permuted weight comes from.
int64_t source_row(int64_t row, int64_t rows) {
  const int64_t half = rows / 2;
  return row >= 2 * half ? row : row % 2 * half + row / 2;
}

at::Tensor interleave(const at::Tensor& weight) {
  at::Tensor permuted = at::empty_like(weight);
  const int64_t half = weight.size(0) / 2;
  for (int64_t part : {0, 1}) permuted.slice(0, part, 2 * half, 2).copy_(weight.narrow(0, part * half, half));
  if (weight.size(0) % 2 == 1) permuted.select(0, 2 * half).copy_(weight.select(0, 2 * half));
  return permuted;
}

at::Tensor row_max(const at::Tensor& weight) {
  at::Tensor largest = at::empty({weight.size(0)}, weight.options());
  at::amax_out(largest, weight, 1);
  return largest;
}

class TilePermute final : public QuantMethod {
 public:
  std::string_view id() const override { return "tile_permute"; }

  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    if (slot != tile_source) return processed;
    at::Tensor original = at::empty_like(processed);
    for (int64_t row = 0; row < processed.size(0); ++row)
      original.select(0, source_row(row, processed.size(0))).copy_(processed.select(0, row));
    return original;
  }

  std::vector<Derived> derived(const Layer& layer) const override {
    const ParameterPtr weight = layer.tensor(tile_source);
    if (!weight || !layer.tensor(derived_name)) return {};
    return {
        {.name = std::string(derived_name), .sources = {layer.path() + "." + std::string(tile_source)}, .tensor = row_max(weight->tensor)}};
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(tile_source);  // alive to the end of the step
    if (!old) return Status(Code::failed, fmt::format("layer {} has no tensor {}", layer.path(), tile_source));
    auto replacement = std::make_shared<Parameter>(*old);
    replacement->tensor = interleave(old->tensor);
    layer.assign(tile_source, replacement);
    RELOADLAB_TRY(post_load_middle(layer));
    auto derived = std::make_shared<Parameter>();
    derived->tensor = row_max(replacement->tensor);
    derived->tensor_class = "Buffer";
    layer.buffers.set(derived_name, derived, /*persistent=*/false);
    return {};
  }
};

std::vector<SlotSpec> tile_results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after = before;
  const SlotSpec& weight = weight_of(before);
  after.push_back({.name = std::string(derived_name),
                   .kind = SlotSpec::Kind::buffer,
                   .shape = {weight.shape[0]},
                   .dtype = weight.dtype,
                   .persistent = false});
  return after;
}

int64_t tile_extra_bytes(const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  return (numel(weight.shape) + weight.shape[0]) * dtype_size(weight.dtype);
}

// Slots beside the weight are left alone.
std::vector<int64_t> permutation_tile(const SlotSpec& slot) {
  std::vector<int64_t> all;
  if (slot.name != tile_source) {
    for (int64_t i = 0; i < numel(slot.shape); ++i) all.push_back(i);
    return all;
  }
  const SlotSpec& weight = slot;
  const int64_t rows = weight.shape[0], columns = weight.shape[1];
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) all.push_back(source_row(row, rows) * columns + column);
  return all;
}

Status check_tile(const std::vector<SlotSpec>& before) {
  const auto refuse = [](std::string_view what) { return Status(Code::data, fmt::format("quantization tile_permute {}", what)); };
  for (const SlotSpec& slot : before) {
    if (slot.alias_of) return refuse("cannot replace tensors that are tied or views");
    if (slot.name != tile_source) continue;
    if (slot.shape.size() != 2 || !slot.strides.empty()) return refuse("needs a dense weight of two dimensions");
    if (slot.dtype == DType::e4m3 || slot.dtype == DType::e5m2) return refuse("cannot compare elements of 8-bit floats");
    return {};
  }
  return refuse("needs a tensor called weight");
}

}  // namespace

QuantInfo tile_permute() {
  return {.id = "tile_permute",
          .about = "rows of the weight interleaved into a new tensor, and a buffer of each row's maximum derived from it",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<TilePermute>(); },
          .results = tile_results,
          .extra_bytes = tile_extra_bytes,
          .permutes = [](std::string_view slot) { return slot != derived_name; },
          .permutation = permutation_tile,
          .check = check_tile};
}

}  // namespace reloadlab::model
