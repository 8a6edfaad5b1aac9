#include "reference/model/quant/scaled_experts.h"

#include <ATen/ops/empty.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/quant/apply_scales.h"
#include "reference/model/quant/boxes.h"

namespace reloadlab::model {
namespace {

constexpr double e4m3_largest = 448;

// A part's place among those of an expert.
int64_t place_of(bool swapped, int64_t part, int64_t parts) { return swapped ? parts - 1 - part : part; }

// The boxes that are worked on at a time: of a part, or of all parts together.
int64_t regions_of(const ScaledExperts& method, int64_t parts) { return method.box == 0 ? 1 : parts; }
Boxes boxes_of(const ScaledExperts& method, const StackSize& size) {
  return cut(size.rows / regions_of(method, size.parts), size.columns, method.box, method.box);
}

StackSlots becomes(const ScaledExperts& method, const StackSize& size) {
  const Boxes boxes = boxes_of(method, size);
  const Shape scales = method.box == 0 ? Shape{size.experts} : Shape{size.experts, boxes.down * size.parts, boxes.across};
  return {{.shape = {size.experts, size.rows, size.columns}, .dtype = DType::e4m3},
          {.name = std::string(method.scale()), .shape = scales, .dtype = DType::f32}};
}

class ScaledExpertsStep final : public ExpertsStep {
 public:
  explicit ScaledExpertsStep(const ScaledExperts& method) : method_(method) {}
  std::string_view id() const override { return method_.id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor& value = held(layer, slot);
    if (slot != w13_name && slot != w2_name) return value;
    const at::Tensor single = at::empty(value.sizes(), value.options().dtype(at::kFloat)).copy_(value);
    const at::Tensor& scales = held(layer, std::string(slot).append(method_.scale()));
    for (int64_t expert = 0; expert < single.size(0); ++expert) apply(single.select(0, expert), slot == w13_name ? 2 : 1, scales, expert);
    return method_.swapped && slot == w13_name ? exchanged(single) : single;
  }

 protected:
  StackSlots becomes(const StackSize& size) const override { return model::becomes(method_, size); }

  void fill(const at::Tensor& loaded, int64_t parts, const std::vector<at::Tensor>& made) const override {
    const int64_t regions = regions_of(method_, parts), rows = loaded.size(0) / regions, pieces = parts / regions, piece = rows / pieces;
    const Boxes boxes = cut(rows, loaded.size(1), method_.box, method_.box);
    for (int64_t region = 0; region < regions; ++region) {
      const at::Tensor single = single_precision(loaded.narrow(0, region * rows, rows), boxes);
      const at::Tensor scales =
          method_.box == 0 ? made[1].view({1}) : made[1].narrow(0, place_of(method_.swapped, region, regions) * boxes.down, boxes.down);
      find_scales(scales, single, boxes, e4m3_largest);
      divide(single, scales, boxes, e4m3_largest);
      for (int64_t i = 0; i < pieces; ++i)
        made[0]
            .narrow(0, place_of(method_.swapped, region * pieces + i, parts) * piece, piece)
            .copy_(single.narrow(0, i * piece, piece).narrow(1, 0, loaded.size(1)));
    }
  }

 private:
  void apply(const at::Tensor& matrix, int64_t parts, const at::Tensor& scales, int64_t expert) const {
    if (method_.box == 0) {
      matrix.mul_(scales.select(0, expert));
      return;
    }
    const int64_t rows = matrix.size(0) / parts, down = scales.size(1) / parts;
    for (int64_t part = 0; part < parts; ++part) {
      at::Tensor of_part = matrix.narrow(0, part * rows, rows);
      scale_boxes(of_part, scales.select(0, expert).narrow(0, part * down, down), method_.box);
    }
  }

  const ScaledExperts& method_;
};

}  // namespace

std::shared_ptr<QuantMethod> make_step(const ScaledExperts& method) { return std::make_shared<ScaledExpertsStep>(method); }

std::vector<SlotSpec> results(const ScaledExperts& method, const std::vector<SlotSpec>& before) {
  return with_stacks(before, [&](const StackSize& size) { return becomes(method, size); });
}

int64_t extra_bytes(const ScaledExperts& method, const std::vector<SlotSpec>& before) {
  const int64_t working = most_of_an_expert(before, [&](const StackSize& size) {
    const Boxes boxes = boxes_of(method, size);
    return boxes.elements() * dtype_size(DType::f32) + scale_working_bytes(boxes);
  });
  return stack_bytes(before, [&](const StackSize& size) { return becomes(method, size); }) + working;
}

std::span<const std::string_view> made_names(const ScaledExperts& method) {
  static constexpr std::string_view scales[] = {w13_name, w2_name, "w13_weight_scale", "w2_weight_scale"};
  static constexpr std::string_view inverses[] = {w13_name, w2_name, "w13_weight_scale_inv", "w2_weight_scale_inv"};
  return method.box == 0 ? std::span(scales) : std::span(inverses);
}

Status check(const ScaledExperts& method, const std::vector<SlotSpec>& before) {
  return check_stacks(method.id, before, made_names(method));
}

}  // namespace reloadlab::model
