#pragma once
// The vocabulary of these tests: small models, and checkpoints whose every element is its own number.
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "reference/model/architecture/architecture.h"
#include "reference/model/guard.h"
#include "reference/model/layer.h"

namespace reloadlab::model {

using Integers = std::vector<int64_t>;  // a list as a layer's value

LayerSpec layer_of(std::string kind, Values values, std::string name = "x", DType dtype = DType::f32);
ModelSpec model_of(std::vector<LayerSpec> layers);
std::vector<Delivery> deliveries_of(const ModelSpec& spec);

// What a checkpoint holds for a delivery.
using Source = std::function<at::Tensor(const Delivery&)>;
// Every element of every delivery its own whole number, from 1 on.
Source numbered(const ModelSpec& spec);

// Calls the parameter's own loader as a model's load routine does.
Status load_one(Model& model, const Delivery& delivery, const at::Tensor& loaded);
Status load_all(Model& model, const Source& source);

// A built and loaded model of one rank.
std::unique_ptr<Model> cold(const ModelSpec& spec, TensorParallel tp, const Source& source);
std::unique_ptr<Model> cold(const ModelSpec& spec, TensorParallel tp = {});
// One model for each rank.
struct Group {
  std::vector<std::unique_ptr<Model>> owned;
  std::vector<Model*> ranks;
};
Group cold_group(const ModelSpec& spec, int size, const Source& source);

// The elements in row-major order.
std::vector<double> values_of(const at::Tensor& tensor);
const at::Tensor& tensor_at(const Model& model, std::string_view path);

}  // namespace reloadlab::model
