// Integers of 4 bits in groups, weight-only and asymmetric, as torchao 0.16.0 makes them online on a CPU from a high-precision weight
// [n, k]: prototype.int4_opaque_tensor.Int4WeightOnlyOpaqueTensorConfig, "tinygemm" (_choose_qparams_affine_tinygemm and
// _quantize_affine_tinygemm in torchao/quantization/quant_primitives.py). Every operation is done, and rounded, in the weight's own element
// type. With g the group, for weight[i, j·g … (j+1)·g):
//
//   scale[i, j] = (max - min) / 15, and at least 10⁻⁶
//   zero[i, j]  = min + scale · 8                           a value, not an integer: zero need not be among those that can be said
//   q[i, l]     = (weight[i, l] - (zero - scale · 8)) / scale, to the nearest integer, ties to even, clamped to 0 … 15
//
// What is no number after the division is 0. Two rows share a byte, in blocks of 32 rows (the last one may have 16) that have k before
// rows; that is what at::_convert_weight_to_int4pack_for_cpu makes where it knows no vector instructions (ATEN_CPU_CAPABILITY=default), and
// does not depend on the machine:
//
//   bytes of a block of b rows from row r on:  [k, b/2],  byte [l, p] = q[r + 2p, l] + 16 · q[r + 2p + 1, l]
//
// The step replaces the handle of `weight` (u8 [n, k/2], the bytes of all blocks) and registers `weight_scale_and_zero` (the weight's type,
// [k/g, n, 2]). Peak beside the old weight: scales, zeros and minima, a working copy of the weight, and the result. Forwards compute with
// (q - 8) · scale + zero.
#include <ATen/ops/add.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sub.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view made_name = "weight_scale_and_zero";
constexpr int64_t block_rows = 32, row_multiple = 16;
constexpr double int4_scale_least = 1e-6, middle = 8, largest = 15;

struct Int4Method {
  std::string_view id;
  std::string_view about;
  int64_t group;
};
constexpr Int4Method int4_in_32{"int4_weight_only_g32",
                                "the weight as packed int4 with a scale and a zero for 32 elements along the inputs, torchao's on CPU", 32};
constexpr Int4Method in_64{"int4_weight_only_g64", "the same in groups of 64", 64};
constexpr Int4Method int4_in_128{"int4_weight_only_g128", "the same in groups of 128", 128};

struct Parameters {
  at::Tensor scale, zero, least;  // [n, k/g] each; least = zero - 8 · scale
};

Parameters parameters_of(const at::Tensor& weight, int64_t groups) {
  Parameters made{at::empty({weight.size(0), groups}, weight.options()), {}, {}};
  made.zero = at::empty_like(made.scale);
  made.least = at::empty_like(made.scale);
  at::amin_out(made.least, in_groups(weight, groups), {2});
  at::amax_out(made.scale, in_groups(weight, groups), {2});
  made.scale.sub_(made.least).div_(largest).clamp_min_(int4_scale_least);
  at::add_out(made.zero, made.least, made.scale, middle);  // the product is exact: it needs no rounding of its own
  at::sub_out(made.least, made.zero, made.scale, middle);
  return made;
}

// The codes, as numbers of the weight's type.
at::Tensor codes_of(const at::Tensor& weight, const Parameters& with) {
  at::Tensor codes = at::empty_like(weight), in_codes = in_groups(codes, with.scale.size(1));
  at::sub_out(in_codes, in_groups(weight, with.scale.size(1)), with.least.unsqueeze(2));
  numbers_only(in_codes.div_(with.scale.unsqueeze(2)).round_().clamp_(0, largest));
  return codes;
}

// Calls fn(first row, rows, rows of a block) for the rows in whole blocks and for those of a shorter last one.
template <class Fn>
void for_blocks(int64_t rows, Fn&& fn) {
  const int64_t whole = rows / block_rows * block_rows;
  if (whole > 0) fn(0, whole, block_rows);
  if (rows > whole) fn(whole, rows - whole, rows - whole);
}

// Bytes [n, k/2] seen as [blocks, pairs of rows, k].
at::Tensor in_pairs(const at::Tensor& packed, int64_t row, int64_t rows, int64_t block) {
  return packed.narrow(0, row, rows).view({rows / block, packed.size(1) * 2, block / 2}).transpose(1, 2);
}

at::Tensor packed(const at::Tensor& codes) {
  const int64_t n = codes.size(0), k = codes.size(1);
  const at::Tensor pairs = codes.view({n / 2, 2, k}), sums = pairs.select(1, 1).mul_(16).add_(pairs.select(1, 0));
  at::Tensor bytes = at::empty({n, k / 2}, codes.options().dtype(at::kByte));
  for_blocks(n, [&](int64_t row, int64_t rows, int64_t block) {
    in_pairs(bytes, row, rows, block).copy_(sums.narrow(0, row / 2, rows / 2).view({rows / block, block / 2, k}));
  });
  return bytes;
}

at::Tensor int4_unpacked(const at::Tensor& bytes) {
  const int64_t n = bytes.size(0), k = bytes.size(1) * 2;
  at::Tensor codes = at::empty({n, k}, bytes.options());
  for_blocks(n, [&](int64_t row, int64_t rows, int64_t block) {
    const at::Tensor from = in_pairs(bytes, row, rows, block), to = codes.narrow(0, row, rows).view({rows / block, block / 2, 2, k});
    to.select(2, 0).copy_(from.bitwise_and(15));
    to.select(2, 1).copy_(from.bitwise_right_shift(4));
  });
  return codes;
}

at::Tensor scale_and_zero(const Parameters& made) {
  at::Tensor both = at::empty({made.scale.size(1), made.scale.size(0), 2}, made.scale.options());
  both.select(2, 0).copy_(made.scale.t());
  both.select(2, 1).copy_(made.zero.t());
  return both;
}

class Int4WeightOnly final : public QuantMethod {
 public:
  explicit Int4WeightOnly(const Int4Method& method) : method_(method) {}
  std::string_view id() const override { return method_.id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor& value = held(layer, slot);
    if (slot != weight_name) return value;
    const at::Tensor& both = held(layer, made_name);
    at::Tensor single = int4_unpacked(value).to(at::kFloat).sub_(middle);
    in_groups(single, both.size(0)).mul_(both.select(2, 0).t().unsqueeze(2)).add_(both.select(2, 1).t().unsqueeze(2));
    return single;
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(weight_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 2) return Status(Code::failed, fmt::format("layer {} has no weight of two dimensions", layer.path()));
    if (const int64_t k = old->tensor.size(1); k % method_.group != 0)  // what is packed already has half as many
      return Status(Code::failed,
                    fmt::format("layer {} has a weight of {} inputs, which are no groups of {}", layer.path(), k, method_.group));
    const Parameters made = parameters_of(old->tensor, old->tensor.size(1) / method_.group);
    layer.assign(weight_name, replacement_of(old, packed(codes_of(old->tensor, made))));
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(made_name, made_parameter(scale_and_zero(made)));
    return {};
  }

 private:
  const Int4Method& method_;
};

std::shared_ptr<QuantMethod> make_step(const Int4Method& method) { return std::make_shared<Int4WeightOnly>(method); }

std::vector<SlotSpec> results(const Int4Method& method, const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  const int64_t n = weight.shape[0], k = weight.shape[1];
  return with_weight(before, {n, k / 2}, DType::u8,
                     {{.name = std::string(made_name), .shape = {k / method.group, n, 2}, .dtype = weight.dtype}});
}

int64_t extra_bytes(const Int4Method& method, const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  const int64_t elements = numel(weight.shape);
  return (3 * elements / method.group + elements) * dtype_size(weight.dtype) + elements / 2;
}

std::span<const std::string_view> made_names(const Int4Method&) { return {&made_name, 1}; }

Status check(const Int4Method& method, const std::vector<SlotSpec>& before) {
  RELOADLAB_TRY(check_weight(method.id, before, made_names(method)));
  const Shape& shape = weight_of(before).shape;
  if (shape[1] % method.group != 0)
    return refused(method.id, fmt::format("needs groups of {} inputs, and the weight has {}", method.group, shape[1]));
  if (shape[0] % row_multiple != 0)
    return refused(method.id, fmt::format("needs a multiple of {} outputs on each rank, and the weight has {}", row_multiple, shape[0]));
  return {};
}

}  // namespace

QuantInfo int4_weight_only_g32() { return weight_info<int4_in_32>(); }
QuantInfo int4_weight_only_g64() { return weight_info<in_64>(); }
QuantInfo int4_weight_only_g128() { return weight_info<int4_in_128>(); }

}  // namespace reloadlab::model
