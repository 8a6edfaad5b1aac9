#include "reference/model/kinds/construct.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "reference/model/device.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/padding.h"

namespace reloadlab::model {
namespace {

ParameterPtr make_parameter(at::IntArrayRef shape, DType dtype, std::string_view tensor_class) {
  auto parameter = std::make_shared<Parameter>();
  parameter->tensor = at::empty(shape, at::TensorOptions(to_torch(dtype)).device(default_device()));
  parameter->tensor_class = tensor_class;
  return parameter;
}

}  // namespace

LayerPtr make_layer(const LayerSpec& spec, TensorParallel tp, std::string_view class_name) {
  auto layer = std::make_shared<Layer>(spec, std::string(class_name));
  layer->tp = tp;
  return layer;
}

ParameterPtr add_parameter(Layer& layer, std::string_view name, at::IntArrayRef shape, DType dtype, std::string_view tensor_class) {
  ParameterPtr parameter = name == tied_slot(layer.spec) ? nullptr : make_parameter(shape, dtype, tensor_class);
  layer.parameters.set(name, parameter);
  return parameter;
}

ParameterPtr add_buffer(Layer& layer, std::string_view name, at::IntArrayRef shape, DType dtype, bool persistent) {
  ParameterPtr buffer = name == tied_slot(layer.spec) ? nullptr : make_parameter(shape, dtype, "Buffer");
  layer.buffers.set(name, buffer, persistent);
  return buffer;
}

void set_loader(const ParameterPtr& parameter, LoaderPtr loader) {
  if (parameter) parameter->loader = std::move(loader);
}

void set_dim(const ParameterPtr& parameter, std::string_view attribute, int64_t dim) {
  if (parameter) parameter->attributes.emplace(attribute, dim);
}

void pad(const ParameterPtr& parameter, int64_t dim, int64_t used, double value) {
  if (!parameter || used == parameter->tensor.size(dim)) return;
  parameter->tensor.narrow(dim, used, parameter->tensor.size(dim) - used).fill_(value);
  parameter->attributes.insert_or_assign(pad_attribute, value);
}

void fill(const ParameterPtr& parameter, double value) {
  if (parameter) parameter->tensor.fill_(value);
}

void set_values(const ParameterPtr& parameter, const std::vector<int64_t>& values) {
  if (!parameter || parameter->tensor.is_meta()) return;
  const at::Tensor host = at::empty(parameter->tensor.sizes(), at::kLong);
  std::ranges::copy(values, host.data_ptr<int64_t>());
  parameter->tensor.copy_(host);
}

Status expect_shape(const at::Tensor& loaded, const WholeShape& whole) {
  const at::IntArrayRef expected(whole.sizes.data(), whole.dims);
  if (loaded.sizes() == expected) return {};
  return Status(Code::failed, fmt::format("cannot load a tensor of shape [{}], expected [{}]", fmt::join(loaded.sizes(), ", "),
                                          fmt::join(expected, ", ")));
}

LoadBox box_of(Part destination, const at::Tensor& loaded, const Range& range) {
  if (loaded.dim() == 0) return {destination.tensor(), loaded};
  for (int64_t dim = 0; dim < loaded.dim(); ++dim)
    if (dim != range.dim) destination.narrow(dim, 0, loaded.size(dim));
  if (range.length != destination.size(range.dim)) destination.narrow(range.dim, range.target, range.length);
  if (range.length == loaded.size(range.dim)) return {destination.tensor(), loaded};
  return {destination.tensor(), Part(loaded).narrow(range.dim, range.source, range.length).tensor()};
}

void copy_range(const at::Tensor& destination, const at::Tensor& loaded, const Range& range) {
  const LoadBox box = box_of(Part(destination), loaded, range);
  box.to.copy_(box.from);
}

Status copy_boxes(const Result<LoadBoxes>& boxes) {
  RELOADLAB_TRY(boxes.status());
  for (const LoadBox& box : *boxes) box.to.copy_(box.from);
  return {};
}

Result<Range> LoadSplit::range(TensorParallel tp, const at::Tensor& destination, const at::Tensor& loaded) const {
  RELOADLAB_TRY(expect_shape(loaded, whole));
  if (dim == replicated) return Range{.dim = 0, .target = 0, .source = 0, .length = loaded.dim() == 0 ? 0 : loaded.size(0)};
  const int64_t start = std::min(destination.size(dim) * tp.rank, loaded.size(dim));
  return Range{.dim = dim, .target = 0, .source = start, .length = std::min(destination.size(dim), loaded.size(dim) - start)};
}

Status LoadSplit::operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs&) const {
  RELOADLAB_ASSIGN(const Range range, this->range(tp, destination.tensor, loaded));
  copy_range(destination.tensor, loaded, range);
  if (!pads || dim == replicated) return {};
  const int64_t padding = destination.tensor.size(dim) - range.length;
  if (padding > 0) destination.tensor.narrow(dim, range.length, padding).fill_(*pads);
  return {};
}

Result<LoadBoxes> LoadSplit::boxes(TensorParallel tp, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs&) const {
  if (pads) return Status(Code::unsupported, "it fills padding, too");
  RELOADLAB_ASSIGN(const Range range, this->range(tp, destination, loaded));
  return LoadBoxes{box_of(Part(destination), loaded, range)};
}

Status LoadTransformed::operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const {
  RELOADLAB_TRY(split(tp, destination, loaded, args));
  at::Tensor transformed = destination.tensor.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  if (exponential) transformed.exp_();
  destination.tensor.copy_(transformed.neg_());
  return {};
}

}  // namespace reloadlab::model
