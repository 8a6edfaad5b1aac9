// Rows of the weight in the order of a table, which is worked out once for each number of rows and kept by the process: here the last
// row first. Engines keep permutations of their kernels so.
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/index_select.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/device.h"
#include "reference/model/post_load.h"
#include "reference/model/process_tables.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view row_table_source = "weight";

const at::Tensor& order_of(int64_t rows) {
  const auto [found, fresh] = process_tables().try_emplace(fmt::format("row_table {}", rows));
  if (fresh) {
    found->second = at::empty({rows}, at::TensorOptions(at::kLong).device(default_device()));
    at::arange_out(found->second, rows - 1, -1, -1);
  }
  return found->second;
}

class RowTable final : public QuantMethod {
 public:
  std::string_view id() const override { return "row_table"; }
  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return slot == row_table_source ? processed.flip(0) : processed;
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(row_table_source);  // alive to the end of the step
    if (!old) return Status(Code::failed, fmt::format("layer {} has no tensor {}", layer.path(), row_table_source));
    auto replacement = std::make_shared<Parameter>(*old);
    replacement->tensor = at::empty_like(old->tensor);
    const at::Tensor& order = order_of(old->tensor.size(0));
    if (!old->tensor.is_meta()) at::index_select_out(replacement->tensor, old->tensor, 0, order);
    layer.assign(row_table_source, replacement);
    return {};
  }
};

int64_t row_table_extra_bytes(const std::vector<SlotSpec>& before) { return storage_bytes(*find_slot(before, row_table_source)); }

std::vector<int64_t> permutation_row_table(const SlotSpec& slot) {
  std::vector<int64_t> all = identity_permutation(slot);
  if (slot.name != row_table_source) return all;
  const int64_t rows = slot.shape[0], columns = numel(slot.shape) / rows;
  for (size_t i = 0; i < all.size(); ++i) {
    const int64_t flat = static_cast<int64_t>(i);
    all[i] = (rows - 1 - flat / columns) * columns + flat % columns;
  }
  return all;
}

Status check_row_table(const std::vector<SlotSpec>& before) {
  const auto refuse = [](std::string_view what) { return Status(Code::data, fmt::format("quantization row_table {}", what)); };
  for (const SlotSpec& slot : before)
    if (slot.alias_of) return refuse("cannot replace tensors that are tied or views");
  const SlotSpec* weight = find_slot(before, row_table_source);
  if (!weight || weight->shape.empty() || !weight->strides.empty() || numel(weight->shape) == 0)
    return refuse("needs a dense tensor called weight");
  return weight->dtype == DType::e4m3 || weight->dtype == DType::e5m2 ? refuse("cannot select rows of 8-bit floats") : Status();
}

}  // namespace

QuantInfo row_table() {
  return {.id = "row_table",
          .about = "rows of the weight in another order, by a table that the process keeps for each number of rows",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<RowTable>(); },
          .results = [](const std::vector<SlotSpec>& before) { return before; },
          .extra_bytes = row_table_extra_bytes,
          .permutes = [](std::string_view) { return true; },
          .permutation = permutation_row_table,
          .check = check_row_table};
}

}  // namespace reloadlab::model
