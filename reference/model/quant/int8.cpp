// Integers of 8 bits with a scale a row: a symmetric method, scaled.h. The largest is 127, so that -128 is never used.
#include "reference/model/quant/registry.h"
#include "reference/model/quant/scaled.h"

namespace reloadlab::model {
namespace {

constexpr ScaledMethod per_channel{.id = "int8_per_channel",
                                   .about = "the weight as int8 with a scale a row, in a parameter made beside it",
                                   .result = DType::i8,
                                   .largest = 127,
                                   .box_rows = 1,
                                   .scale_name = "weight_scale",
                                   .scale_class = "ChannelQuantScaleParameter"};

}  // namespace

QuantInfo int8_per_channel() { return weight_info<per_channel>(); }

}  // namespace reloadlab::model
