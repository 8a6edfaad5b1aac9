#pragma once
// What methods share that put something else in place of a layer's `weight` and register tensors beside it.
#include <algorithm>
#include <span>

#include "reference/model/kind.h"
#include "reference/model/layer.h"

namespace reloadlab::model {

inline constexpr std::string_view weight_name = "weight";

const SlotSpec& weight_of(const std::vector<SlotSpec>& slots);  // REQUIRES that there is one
SlotSpec loaded_weight(const Layer& layer);                     // as the layer's constructor made it

// The slots after a step that leaves `weight` with this shape and element type, and `made` behind the parameters that were there. A
// weight that was tied is a tensor of its own afterwards.
std::vector<SlotSpec> with_weight(const std::vector<SlotSpec>& before, Shape shape, DType dtype, const std::vector<SlotSpec>& made);

// A dense weight of two dimensions, in f32 or bf16, that no view looks into, and no tensor yet with a name that the method makes.
Status check_weight(std::string_view method, const std::vector<SlotSpec>& before, std::span<const std::string_view> made);
Status refused(std::string_view method, std::string_view what);

// A method as the registry wants it, whose functions get no state of their own. What it does stands beside its type: results(method,
// before), extra_bytes(method, before), check(method, before), made_names(method) of what it registers, and replaces beside `weight`,
// make_step(method), which may keep a reference, and where other layers may read the weight value_bytes(method, before).
template <const auto& method>
QuantInfo weight_info() {
  QuantInfo info{.id = method.id,
                 .about = method.about,
                 .make = []() -> std::shared_ptr<QuantMethod> { return make_step(method); },
                 .results = [](const std::vector<SlotSpec>& before) { return results(method, before); },
                 .extra_bytes = [](const std::vector<SlotSpec>& before) { return extra_bytes(method, before); },
                 .permutes = [](std::string_view slot) { return slot != weight_name && !std::ranges::count(made_names(method), slot); },
                 .permutation = identity_permutation,
                 .check = [](const std::vector<SlotSpec>& before) { return check(method, before); },
                 .takes_ties = true};
  if constexpr (requires(const std::vector<SlotSpec>& before) { value_bytes(method, before); })
    info.value_bytes = [](const std::vector<SlotSpec>& before) { return value_bytes(method, before); };
  return info;
}

// A weight [n, k] as [n, groups, k / groups].
at::Tensor in_groups(const at::Tensor& weight, int64_t groups);

// 0 for what is no number. Placeholders have none, and the operator has no kernel for them.
at::Tensor& numbers_only(at::Tensor& values);

ParameterPtr replacement_of(const ParameterPtr& old, at::Tensor tensor);  // its class, attributes and loader, under a new handle
ParameterPtr made_parameter(at::Tensor tensor, std::string_view tensor_class = "Parameter");

}  // namespace reloadlab::model
