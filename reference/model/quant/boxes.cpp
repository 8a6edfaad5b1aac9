#include "reference/model/quant/boxes.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/maximum.h>

#include <limits>

namespace reloadlab::model {
namespace {

// One dimension for boxes and one for what is in them, down and across.
at::Tensor in_boxes(const at::Tensor& padded, const Boxes& boxes) {
  return padded.view({boxes.down, boxes.rows, boxes.across, boxes.columns});
}

at::Tensor per_box(const at::Tensor& scales, const Boxes& boxes) { return scales.view({boxes.down, 1, boxes.across, 1}); }

void extremes(const at::Tensor& low, const at::Tensor& high, const at::Tensor& single, const Boxes& boxes) {
  if (boxes.count() == 1) {
    at::Tensor lowest = low.view(at::IntArrayRef()), highest = high.view(at::IntArrayRef());
    at::aminmax_out(lowest, highest, single);
    return;
  }
  at::Tensor lows = low.view({boxes.down, boxes.across}), highs = high.view({boxes.down, boxes.across});
  at::amin_out(lows, in_boxes(single, boxes), {1, 3});
  at::amax_out(highs, in_boxes(single, boxes), {1, 3});
}

}  // namespace

Boxes cut(int64_t n, int64_t k, int64_t rows, int64_t columns) {
  const int64_t down = rows > 0 ? rows : n, across = columns > 0 ? columns : k;
  return {(n + down - 1) / down, (k + across - 1) / across, down, across};
}

at::Tensor single_precision(const at::Tensor& matrix, const Boxes& boxes) {
  at::Tensor single = at::empty({boxes.padded_rows(), boxes.padded_columns()}, matrix.options().dtype(at::kFloat));
  if (single.numel() != matrix.numel()) single.zero_();
  single.narrow(0, 0, matrix.size(0)).narrow(1, 0, matrix.size(1)).copy_(matrix);
  return single;
}

void find_scales(const at::Tensor& scales, const at::Tensor& single, const Boxes& boxes, double largest) {
  at::Tensor low = at::empty_like(scales), high = scales;
  extremes(low, high, single, boxes);
  at::maximum_out(high, high, low.neg_());
  high.div_(largest);
  high.masked_fill_(high.eq(0), 1);
  one_nan(high);
}

int64_t scale_working_bytes(const Boxes& boxes) {
  constexpr int64_t low = 4, is_zero = 1, zero = 8 + 4;  // the number, and the same in single precision
  return boxes.count() * (low + is_zero) + zero;
}

void divide(const at::Tensor& single, const at::Tensor& scales, const Boxes& boxes, double largest) {
  at::Tensor divided = in_boxes(single, boxes).div_(per_box(scales, boxes)).clamp_(-largest, largest);
  one_nan(divided);
}

at::Tensor& one_nan(at::Tensor& values) {
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  return values.is_meta() ? values : values.nan_to_num_(nan, infinity, -infinity);
}

void multiply(const at::Tensor& single, const at::Tensor& scales, const Boxes& boxes) {
  in_boxes(single, boxes).mul_(per_box(scales, boxes));
}

}  // namespace reloadlab::model
