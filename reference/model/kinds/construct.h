#pragma once
// How kinds make layers and attach loaders. Constructors and loaders are written as engines write theirs: sizes come from the
// layer's own keys and from the tensors at hand, shards are narrowed and copied.
#include <ATen/core/Tensor.h>

#include <array>

#include "reference/model/layer.h"
#include "reference/model/part.h"

namespace reloadlab::model {

LayerPtr make_layer(const LayerSpec& spec, TensorParallel tp, std::string_view class_name);

// Registers a new uninitialized parameter on the current default device. Null, with the slot kept, when the slot is tied:
// the builder puts the shared handle there. The functions below do nothing with a null handle.
ParameterPtr add_parameter(Layer& layer, std::string_view name, at::IntArrayRef shape, DType dtype,
                           std::string_view tensor_class = "Parameter");
ParameterPtr add_buffer(Layer& layer, std::string_view name, at::IntArrayRef shape, DType dtype, bool persistent);

void set_loader(const ParameterPtr& parameter, LoaderPtr loader);
void set_dim(const ParameterPtr& parameter, std::string_view attribute, int64_t dim);  // "output_dim", "input_dim"
// Fills what loaders do not write, from `used` on along `dim`, and declares the value in the attribute "pad_value".
void pad(const ParameterPtr& parameter, int64_t dim, int64_t used, double value);
void fill(const ParameterPtr& parameter, double value);
// Writes a table that the constructor worked out on the host; a placeholder has no place for it.
void set_values(const ParameterPtr& parameter, const std::vector<int64_t>& values);

// The shape that a loader accepts, kept small so that it travels in the loader.
struct WholeShape {
  std::array<int64_t, 3> sizes{};
  int dims = 0;
};
Status expect_shape(const at::Tensor& loaded, const WholeShape& whole);

// Copies loaded[source, source + length) along `dim` onto the same many elements of the destination from `target` on. Other
// dimensions of the destination may be longer (padding); they are filled from their begin.
struct Range {
  int64_t dim = 0;
  int64_t target = 0;
  int64_t source = 0;
  int64_t length = 0;
};
LoadBox box_of(Part destination, const at::Tensor& loaded, const Range& range);
void copy_range(const at::Tensor& destination, const at::Tensor& loaded, const Range& range);
Status copy_boxes(const Result<LoadBoxes>& boxes);

// The rule of most loaders: the rank takes as much along `dim` as its own tensor has, from where the ranks before it stop. What is
// padding in its tensor stays as it is, or is filled when the loader pads.
struct LoadSplit {
  static constexpr int64_t replicated = -1;
  WholeShape whole;
  int64_t dim = replicated;
  std::optional<double> pads = {};
  Status operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs&) const;
  Result<LoadBoxes> boxes(TensorParallel tp, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs&) const;

 private:
  Result<Range> range(TensorParallel tp, const at::Tensor& destination, const at::Tensor& loaded) const;
};

// A composed loader: copies as LoadSplit does, and then transforms the whole tensor in place, to -exp(x) or to -x, through a copy in
// single precision.
struct LoadTransformed {
  LoadSplit split;
  bool exponential;
  Status operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const;
};

// A weight loader from a rule, Status rule(TensorParallel, Parameter& destination, const at::Tensor& loaded, const LoadArgs&): a method
// that asks its layer for the rank, or a free function that was told it, or none, as the layer's key `loader` says. A rule that has boxes()
// makes a loader that says them.
template <class Rule>
Loader::Boxes boxes_of_rule(const Rule& rule, std::optional<TensorParallel> told) {
  if constexpr (requires { &Rule::boxes; }) {
    return [rule, told](Layer* self, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs& args) {
      return rule.boxes(told ? *told : self->tp, destination, loaded, args);
    };
  }
  return {};
}

template <class Rule>
LoaderPtr rule_loader(const LayerPtr& layer, Rule rule) {
  const std::string& how = layer->spec.text("loader");
  if (how == "none") return nullptr;
  if (how == "free") {
    return free_loader(
        "weight_loader",
        [rule, tp = layer->tp](Layer*, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) {
          return rule(tp, destination, loaded, args);
        },
        boxes_of_rule(rule, layer->tp));
  }
  auto method = [rule](Layer* self, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) {
    return rule(self->tp, destination, loaded, args);
  };
  return method_loader("weight_loader", method, layer, boxes_of_rule(rule, {}));
}

}  // namespace reloadlab::model
