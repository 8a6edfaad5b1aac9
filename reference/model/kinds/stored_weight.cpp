#include "reference/model/kinds/stored_weight.h"

#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/apply_scales.h"
#include "reference/model/quant/packed.h"

namespace reloadlab::model {

KeyInfo scales_key(std::string_view about) {
  return {
      .name = "scales", .type = KeyInfo::Type::text, .fallback = std::string("channel"), .about = about, .choices = "tensor|channel|block"};
}

Status check_scaled_dtype(const LayerSpec& spec) {
  if (spec.dtype == DType::e4m3 || spec.dtype == DType::i8) return {};
  return Status(Code::data, fmt::format("{}: weights are {}, expected e4m3 or i8", spec.name, dtype_name(spec.dtype)));
}

at::Tensor scaled_weight(const Layer& layer, std::string_view scale_name) {
  const at::Tensor &weight = held(layer, "weight"), &scale = held(layer, scale_name);
  at::Tensor single = weight.to(at::kFloat);
  const std::string& kind = layer.spec.text("scales");
  if (kind == "channel") return single.mul_(scale);
  return kind == "tensor" ? scale_parts(single, scale, layer) : scale_boxes(single, scale, scale_block);
}

at::Tensor packed_weight(const Layer& layer) {
  if (layer.quant_method) return layer.quant_method->compute_value(layer, "weight");
  return dequantized(unpacked_columns(held(layer, "weight_packed")), held(layer, "weight_scale"),
                     layer.spec.flag("zero_points") ? unpacked_rows(held(layer, "weight_zero_point")) : at::Tensor());
}

}  // namespace reloadlab::model
