#include "reference/model/quant/scaled.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/maximum.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"

namespace reloadlab::model {
namespace {

// How a weight [n, k] is cut.
struct Boxes {
  int64_t down, across, rows, columns;
  int64_t count() const { return down * across; }
  int64_t padded_rows() const { return down * rows; }
  int64_t padded_columns() const { return across * columns; }
};

Boxes boxes_of(const ScaledMethod& method, int64_t n, int64_t k) {
  const int64_t rows = method.box_rows > 0 ? method.box_rows : n, columns = method.box_columns > 0 ? method.box_columns : k;
  return {(n + rows - 1) / rows, (k + columns - 1) / columns, rows, columns};
}

// One dimension for boxes and one for what is in them, down and across.
at::Tensor in_boxes(const at::Tensor& padded, const Boxes& boxes) {
  return padded.view({boxes.down, boxes.rows, boxes.across, boxes.columns});
}

at::Tensor per_box(const at::Tensor& scale, const Boxes& boxes) { return scale.view({boxes.down, 1, boxes.across, 1}); }

// The weight in single precision, padded to whole boxes.
at::Tensor single_precision(const at::Tensor& weight, const Boxes& boxes) {
  at::Tensor single = at::empty({boxes.padded_rows(), boxes.padded_columns()}, weight.options().dtype(at::kFloat));
  if (single.numel() != weight.numel()) single.zero_();
  single.narrow(0, 0, weight.size(0)).narrow(1, 0, weight.size(1)).copy_(weight);
  return single;
}

void extremes(at::Tensor& low, at::Tensor& high, const at::Tensor& single, const Boxes& boxes) {
  if (boxes.count() == 1) {
    at::Tensor lowest = low.view(at::IntArrayRef()), highest = high.view(at::IntArrayRef());
    at::aminmax_out(lowest, highest, single);
    return;
  }
  at::Tensor lows = low.view({boxes.down, boxes.across}), highs = high.view({boxes.down, boxes.across});
  at::amin_out(lows, in_boxes(single, boxes), {1, 3});
  at::amax_out(highs, in_boxes(single, boxes), {1, 3});
}

at::Tensor scale_of(const ScaledMethod& method, const at::Tensor& single, const Boxes& boxes) {
  at::Tensor scale = method.whole() ? at::empty({1}, single.options()) : at::empty({boxes.down, boxes.across}, single.options());
  at::Tensor low = at::empty_like(scale);
  extremes(low, scale, single, boxes);
  at::maximum_out(scale, scale, low.neg_());
  scale.div_(method.largest);
  return scale.masked_fill_(scale.eq(0), 1);
}

at::Tensor quantized(const ScaledMethod& method, at::Tensor single, const at::Tensor& scale, const Boxes& boxes) {
  in_boxes(single, boxes).div_(per_box(scale, boxes)).clamp_(-method.largest, method.largest);
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
    at::Tensor single = value.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
    in_boxes(single, boxes).mul_(per_box(held(layer, method_.scale_name), boxes));
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
  constexpr int64_t single = 4, scale = 4, low = 4, is_zero = 1, zero = 8 + 4;  // the number, and the same in single precision
  const int64_t elements = boxes.padded_rows() * boxes.padded_columns();
  const int64_t working = boxes.count() * (low + is_zero) + zero, result = elements * dtype_size(method.result);
  return elements * single + boxes.count() * scale + std::max(working, result);
}

std::span<const std::string_view> made_names(const ScaledMethod& method) { return {&method.scale_name, 1}; }

Status check(const ScaledMethod& method, const std::vector<SlotSpec>& before) {
  return check_weight(method.id, before, made_names(method));
}

}  // namespace reloadlab::model
