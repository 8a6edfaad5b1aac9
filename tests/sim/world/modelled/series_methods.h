#pragma once
// Post-load steps for series, each with one property that windows have to cope with.
#include <ATen/ops/full.h>

#include "reference/model/post_load.h"

namespace reloadlab::sim::modelled {

// A step in a few words; it finds the layer's weight and may replace its tensor, as engines' `.data =` does.
class StepOf final : public model::QuantMethod {
 public:
  using Step = std::function<Status(model::Layer& layer, at::Tensor& weight)>;
  explicit StepOf(Step step) : step_(std::move(step)) {}
  std::string_view id() const override { return "test"; }

 protected:
  Status process(model::Layer& layer) override { return step_(layer, layer.tensor("weight")->tensor); }

 private:
  Step step_;
};

inline std::shared_ptr<model::QuantMethod> method(StepOf::Step step) { return std::make_shared<StepOf>(std::move(step)); }

// bf16 of half the value, with the companion `weight_scale` of 2: another element type in place.
inline std::shared_ptr<model::QuantMethod> halving() {
  return method([](model::Layer& layer, at::Tensor& weight) {
    layer.assign("weight_scale", std::make_shared<model::Parameter>(model::Parameter{.tensor = at::full({1}, 2.0, weight.options())}));
    weight = weight.div(2).to(at::kBFloat16);
    return Status();
  });
}

// The weight as kernels for transposed matrices want it: a view with its strides exchanged.
inline std::shared_ptr<model::QuantMethod> transposing() {
  return method([](model::Layer&, at::Tensor& weight) {
    weight = weight.t();
    return Status();
  });
}

// A full copy with its own number in every element, as a step that must run once a version.
inline std::shared_ptr<model::QuantMethod> adding(double number) {
  return method([number](model::Layer&, at::Tensor& weight) {
    weight.add_(number);
    return Status();
  });
}

}  // namespace reloadlab::sim::modelled
