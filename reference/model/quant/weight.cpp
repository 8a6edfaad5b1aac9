#include "reference/model/quant/weight.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::model {

const SlotSpec& weight_of(const std::vector<SlotSpec>& slots) { return *find_slot(slots, weight_name); }

SlotSpec loaded_weight(const Layer& layer) { return weight_of(layer.kind->slots(layer.spec, layer.tp)); }

std::vector<SlotSpec> with_weight(const std::vector<SlotSpec>& before, Shape shape, DType dtype, const std::vector<SlotSpec>& made) {
  std::vector<SlotSpec> after = before;
  SlotSpec& weight = *std::ranges::find(after, weight_name, &SlotSpec::name);
  weight.shape = std::move(shape);
  weight.dtype = dtype;
  weight.alias_of.reset();
  after.insert(std::ranges::find(after, SlotSpec::Kind::buffer, &SlotSpec::kind), made.begin(), made.end());
  return after;
}

Status refused(std::string_view method, std::string_view what) {
  return Status(Code::data, fmt::format("quantization {} {}", method, what));
}

Status check_weight(std::string_view method, const std::vector<SlotSpec>& before, std::span<const std::string_view> made) {
  const SlotSpec* weight = nullptr;
  for (const SlotSpec& slot : before) {
    if (slot.alias_of) return refused(method, "cannot replace tensors that are views, or tied to a layer of another quantization");
    if (std::ranges::find(made, slot.name) != made.end())
      return refused(method, fmt::format("makes a tensor called {}, and the layer has one", slot.name));
    if (slot.name == weight_name) weight = &slot;
  }
  if (!weight) return refused(method, "needs a tensor called weight");
  if (weight->shape.size() != 2 || !weight->strides.empty()) return refused(method, "needs a dense weight of two dimensions");
  if (weight->dtype != DType::f32 && weight->dtype != DType::bf16) return refused(method, "needs a weight in f32 or bf16");
  return {};
}

at::Tensor in_groups(const at::Tensor& weight, int64_t groups) { return weight.view({weight.size(0), groups, weight.size(1) / groups}); }

at::Tensor& numbers_only(at::Tensor& values) { return values.is_meta() ? values : values.nan_to_num_(0); }

ParameterPtr replacement_of(const ParameterPtr& old, at::Tensor tensor) {
  auto replacement = std::make_shared<Parameter>(*old);
  replacement->tensor = std::move(tensor);
  return replacement;
}

ParameterPtr made_parameter(at::Tensor tensor, std::string_view tensor_class) {
  auto parameter = std::make_shared<Parameter>();
  parameter->tensor = std::move(tensor);
  parameter->tensor_class = tensor_class;
  return parameter;
}

}  // namespace reloadlab::model
