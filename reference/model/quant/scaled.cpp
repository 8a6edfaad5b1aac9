#include "reference/model/quant/scaled.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/boxes.h"

namespace reloadlab::model {
namespace {

Boxes boxes_of(const ScaledMethod& method, int64_t n, int64_t k) { return cut(n, k, method.box_rows, method.box_columns); }

at::Tensor scale_of(const ScaledMethod& method, const at::Tensor& single, const Boxes& boxes) {
  at::Tensor scale = method.whole() ? at::empty({1}, single.options()) : at::empty({boxes.down, boxes.across}, single.options());
  find_scales(scale, single, boxes, method.largest);
  return scale;
}

at::Tensor quantized(const ScaledMethod& method, at::Tensor single, const at::Tensor& scale, const Boxes& boxes) {
  divide(single, scale, boxes, method.largest);
  if (method.result == DType::i8) numbers_only(single.round_());
  if (method.transposed) single = single.t();
  return at::empty(single.sizes(), single.options().dtype(to_torch(method.result))).copy_(single);
}

class Scaled final : public QuantMethod {
 public:
  explicit Scaled(const ScaledMethod& method) : method_(method) {}
  std::string_view id() const override { return method_.id; }

  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return slot == weight_name && method_.transposed ? processed.t() : processed;
  }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor value = QuantMethod::compute_value(layer, slot);
    if (slot != weight_name) return value;
    const SlotSpec loaded = loaded_weight(layer);
    const Boxes boxes = boxes_of(method_, loaded.shape[0], loaded.shape[1]);
    const at::Tensor single = at::empty(value.sizes(), value.options().dtype(at::kFloat)).copy_(value);
    multiply(single, held(layer, method_.scale_name), boxes);
    return single.narrow(0, 0, loaded.shape[0]).narrow(1, 0, loaded.shape[1]);
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(weight_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 2) return Status(Code::failed, fmt::format("layer {} has no weight of two dimensions", layer.path()));
    const Boxes boxes = boxes_of(method_, old->tensor.size(0), old->tensor.size(1));
    const at::Tensor single = single_precision(old->tensor, boxes);
    const ParameterPtr scale = made_parameter(scale_of(method_, single, boxes), method_.scale_class);
    layer.assign(weight_name, replacement_of(old, quantized(method_, single, scale->tensor, boxes)));
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(method_.scale_name, scale);
    return {};
  }

 private:
  const ScaledMethod& method_;
};

Boxes boxes_of(const ScaledMethod& method, const std::vector<SlotSpec>& slots) {
  const Shape& shape = weight_of(slots).shape;
  return boxes_of(method, shape[0], shape[1]);
}

}  // namespace

std::shared_ptr<QuantMethod> make_step(const ScaledMethod& method) { return std::make_shared<Scaled>(method); }

std::vector<SlotSpec> results(const ScaledMethod& method, const std::vector<SlotSpec>& before) {
  const Boxes boxes = boxes_of(method, before);
  Shape weight{boxes.padded_rows(), boxes.padded_columns()};
  if (method.transposed) std::swap(weight[0], weight[1]);
  const Shape scale = method.whole() ? Shape{1} : Shape{boxes.down, boxes.across};
  return with_weight(before, weight, method.result, {{.name = std::string(method.scale_name), .shape = scale, .dtype = DType::f32}});
}

int64_t extra_bytes(const ScaledMethod& method, const std::vector<SlotSpec>& before) {
  const Boxes boxes = boxes_of(method, before);
  const int64_t elements = boxes.elements(), result = elements * dtype_size(method.result);
  return elements * dtype_size(DType::f32) + boxes.count() * dtype_size(DType::f32) + std::max(scale_working_bytes(boxes), result);
}

int64_t value_bytes(const ScaledMethod& method, const std::vector<SlotSpec>& before) {
  return boxes_of(method, before).elements() * dtype_size(DType::f32);
}

std::span<const std::string_view> made_names(const ScaledMethod& method) { return {&method.scale_name, 1}; }

Status check(const ScaledMethod& method, const std::vector<SlotSpec>& before) {
  return check_weight(method.id, before, made_names(method));
}

}  // namespace reloadlab::model
