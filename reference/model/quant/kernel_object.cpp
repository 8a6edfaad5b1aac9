// Post-load steps that leave the weight as it is and make a kernel object for it, which takes the place of the one before with all that
// it owned. What the layer reaches through the object stands in its extra state:
//
//   kernel_helpers    kernel:strides [2], int64, which the object makes, and kernel:weight, the weight of that time, which its
//                     configuration refers to
//   kernel_constants  kernel:alpha and kernel:beta [1], float32, constants that its constructor makes, always with the same values
//   kernel_scratch    nothing yet: what the first forward makes is the object's, and goes with it
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/device.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/step_helpers.h"

namespace reloadlab::model {
namespace {

enum class Owns { helpers, constants, scratch };

constexpr const char* strides = "kernel:strides";
constexpr const char* alpha = "kernel:alpha";
constexpr const char* beta = "kernel:beta";

at::Tensor constant(double value) { return at::empty({1}, at::TensorOptions(at::kFloat).device(default_device())).fill_(value); }

at::Tensor strides_of(const at::Tensor& weight) {
  const at::Tensor made = at::empty({weight.dim()}, at::TensorOptions(at::kLong).device(default_device()));
  for (int64_t dim = 0; dim < weight.dim(); ++dim) made.select(0, dim).fill_(weight.stride(dim));
  return made;
}

class KernelObject final : public QuantMethod {
 public:
  KernelObject(std::string_view id, Owns owns) : id_(id), owns_(owns) {}
  std::string_view id() const override { return id_; }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr weight = layer.tensor("weight");
    if (!weight) return Status(Code::failed, fmt::format("layer {} has no tensor weight", layer.path()));
    ExtraState made;
    if (owns_ == Owns::helpers) made.tensors = {{strides, strides_of(weight->tensor)}, {"kernel:weight", weight->tensor}};
    if (owns_ == Owns::constants) made.tensors = {{alpha, constant(1.702)}, {beta, constant(1)}};
    RELOADLAB_TRY(post_load_middle(layer));
    layer.extra = std::move(made);
    return {};
  }

 private:
  std::string_view id_;
  Owns owns_;
};

Status check_kernel(const std::vector<SlotSpec>& before) {
  const auto weight = std::ranges::find(before, "weight", &SlotSpec::name);
  if (weight != before.end() && weight->shape.size() == 2 && !weight->alias_of) return {};
  return Status(Code::data, "a quantization with a kernel object needs a tensor of two dimensions called weight");
}

template <Owns owns>
QuantInfo with_object(std::string_view id, std::string_view about) {
  static const std::string_view name = id;
  return {.id = id,
          .about = about,
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<KernelObject>(name, owns); },
          .results = [](const std::vector<SlotSpec>& before) { return before; },
          .extra_bytes = [](const std::vector<SlotSpec>&) -> int64_t { return 0; },
          .permutes = [](std::string_view) { return true; },
          .permutation = identity_permutation,
          .check = check_kernel};
}

}  // namespace

std::vector<SlotSpec> step_helpers(std::string_view method) {
  if (method == "kernel_helpers") return {{.name = strides, .shape = {2}, .dtype = DType::i64}};
  if (method == "kernel_constants")
    return {{.name = alpha, .shape = {1}, .dtype = DType::f32}, {.name = beta, .shape = {1}, .dtype = DType::f32}};
  return {};
}

QuantInfo kernel_helpers() {
  return with_object<Owns::helpers>("kernel_helpers", "a kernel object with strides of its own and a reference to the weight");
}
QuantInfo kernel_constants() {
  return with_object<Owns::constants>("kernel_constants", "a kernel object whose constructor makes constants");
}
QuantInfo kernel_scratch() {
  return with_object<Owns::scratch>("kernel_scratch", "a kernel object that owns the scratch which forwards make");
}

}  // namespace reloadlab::model
