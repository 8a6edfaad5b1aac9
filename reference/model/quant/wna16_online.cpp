// Weights of 4 bits in groups with zero points, made online from a high-precision weight [n, k] as groups4.h says, and then put into tiles
// as wna16 does (packed.h).
//
// The step replaces the handle of `weight` (i32 [k/16, 2n]) and registers `weight_scale` (the weight's type, [k/g, n]) and
// `weight_zero_point` (i32 [k/g, n/8]). Peak beside the old weight: scales, zero points and minima, a working copy of the weight, and its
// codes, a byte for each. Forwards compute with (q - zero) · scale.
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/groups4.h"
#include "reference/model/quant/packed.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view online_scale_name = "weight_scale", online_zero_name = "weight_zero_point";

struct OnlineMethod {
  std::string_view id;
  std::string_view about;
  int64_t group;
};
constexpr OnlineMethod online_in_32{"wna16_online_g32",
                                    "the weight as int4 with scales and zero points for 32 elements along the inputs, packed in tiles", 32};
constexpr OnlineMethod online_in_128{"wna16_online_g128", "the same in groups of 128", 128};
static_assert(online_in_32.group % tile_rows == 0 && online_in_128.group % tile_rows == 0);

class Wna16Online final : public QuantMethod {
 public:
  explicit Wna16Online(const OnlineMethod& method) : method_(method) {}
  std::string_view id() const override { return method_.id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor& value = held(layer, slot);
    if (slot != weight_name) return value;
    return dequantized(weight_of_tiles(value), scales_of_tiles(held(layer, online_scale_name)),
                       zero_points_of_tiles(held(layer, online_zero_name)));
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(weight_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 2) return Status(Code::failed, fmt::format("layer {} has no weight of two dimensions", layer.path()));
    Groups4 made = groups_of(old->tensor, old->tensor.size(1) / method_.group);
    layer.assign(weight_name, replacement_of(old, tiled_weight(codes_of(old->tensor, made))));
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(online_scale_name, made_parameter(tiled_scales(made.scale), "GroupQuantScaleParameter"));
    layer.assign(online_zero_name, made_parameter(tiled_zero_points(as_codes(made.zero.add_(code_of_zero))), "PackedvLLMParameter"));
    return {};
  }

 private:
  const OnlineMethod& method_;
};

std::shared_ptr<QuantMethod> make_step(const OnlineMethod& method) { return std::make_shared<Wna16Online>(method); }

std::vector<SlotSpec> results(const OnlineMethod& method, const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  const int64_t n = weight.shape[0], k = weight.shape[1], groups = k / method.group;
  return with_weight(before, {k / tile_rows, n * 2}, DType::i32,
                     {{.name = std::string(online_scale_name), .shape = {groups, n}, .dtype = weight.dtype},
                      {.name = std::string(online_zero_name), .shape = {groups, n / codes_per_word}, .dtype = DType::i32}});
}

int64_t extra_bytes(const OnlineMethod& method, const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  const int64_t elements = numel(weight.shape);
  return (elements + 3 * elements / method.group) * dtype_size(weight.dtype) + elements;
}

std::span<const std::string_view> made_names(const OnlineMethod&) {
  static constexpr std::string_view names[] = {online_scale_name, online_zero_name};
  return names;
}

Status check(const OnlineMethod& method, const std::vector<SlotSpec>& before) {
  RELOADLAB_TRY(check_weight(method.id, before, made_names(method)));
  const Shape& shape = weight_of(before).shape;
  if (shape[1] % method.group != 0)
    return refused(method.id, fmt::format("needs groups of {} inputs, and the weight has {}", method.group, shape[1]));
  if (shape[0] % tile_columns != 0)
    return refused(method.id, fmt::format("needs tiles of {} outputs on each rank, and the weight has {}", tile_columns, shape[0]));
  return {};
}

}  // namespace

QuantInfo wna16_online_g32() { return weight_info<online_in_32>(); }
QuantInfo wna16_online_g128() { return weight_info<online_in_128>(); }

}  // namespace reloadlab::model
