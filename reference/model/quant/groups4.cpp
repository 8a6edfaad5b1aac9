#include "reference/model/quant/groups4.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/eq.h>

#include "reference/model/quant/packed.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

double step_at_one(at::ScalarType type) { return type == at::kBFloat16 ? 0x1p-7 : 0x1p-23; }

at::Tensor zeros_of(const at::Tensor& least, const at::Tensor& scale) {
  at::Tensor zero = at::empty_like(scale);
  at::div_out(zero, least, scale);
  return numbers_only(zero.neg_().sub_(code_of_zero).clamp_(-code_of_zero, code_largest - code_of_zero).round_());
}

}  // namespace

Groups4 groups_of(const at::Tensor& weight, int64_t groups) {
  Groups4 made{at::empty({weight.size(0), groups}, weight.options()), {}, {}};
  made.scale = at::empty_like(made.least);
  at::amin_out(made.least, in_groups(weight, groups), {2});
  at::amax_out(made.scale, in_groups(weight, groups), {2});
  made.scale.clamp_min_(0).sub_(made.least.clamp_max_(0)).div_(code_largest);
  made.zero = zeros_of(made.least, made.scale);
  made.scale.masked_fill_(made.scale.eq(0), step_at_one(weight.scalar_type()));
  return made;
}

at::Tensor as_codes(const at::Tensor& integers) { return at::empty(integers.sizes(), integers.options().dtype(at::kByte)).copy_(integers); }

at::Tensor codes_of(const at::Tensor& weight, const Groups4& with) {
  at::Tensor working = at::empty_like(weight), grouped = in_groups(working, with.scale.size(1));
  at::div_out(grouped, in_groups(weight, with.scale.size(1)), with.scale.unsqueeze(2));
  grouped.add_(with.zero.unsqueeze(2)).clamp_(-code_of_zero, code_largest - code_of_zero).round_();
  return as_codes(numbers_only(working).add_(code_of_zero));
}

}  // namespace reloadlab::model
