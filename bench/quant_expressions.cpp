#include "bench/quant_expressions.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/round.h>
#include <ATen/ops/stack.h>

namespace reloadlab::bench {
namespace {

const char* const stacks[] = {"w13_weight", "w2_weight"};

// [..., n, k] as [..., n / rows, rows, k / columns, columns].
at::Tensor in_boxes(const at::Tensor& weight, int64_t rows, int64_t columns) {
  std::vector<int64_t> sizes(weight.sizes().begin(), weight.sizes().end() - 2);
  sizes.insert(sizes.end(), {weight.size(-2) / rows, rows, weight.size(-1) / columns, columns});
  return weight.view(sizes);
}

// [..., k] as [..., k / group, group].
at::Tensor in_groups(const at::Tensor& weight, int64_t group) {
  std::vector<int64_t> sizes(weight.sizes().begin(), weight.sizes().end() - 1);
  sizes.insert(sizes.end(), {weight.size(-1) / group, group});
  return weight.view(sizes);
}

Outcome symmetric_of(const std::string& slot, const at::Tensor& weight, const Cut& cut) {
  const at::Tensor boxes =
      in_boxes(weight.to(at::kFloat), cut.rows ? cut.rows : weight.size(-2), cut.columns ? cut.columns : weight.size(-1));
  const at::Tensor scale = at::amax(boxes.abs(), {-3, -1}, /*keepdim=*/true) / cut.largest;
  const at::Tensor scaled = (boxes / scale).clamp(-cut.largest, cut.largest);
  return {slot, (cut.result == at::kChar ? at::round(scaled) : scaled).to(cut.result), scale};
}

Outcome with_zero_points(const std::string& slot, const at::Tensor& weight, int64_t group) {
  const at::Tensor groups = in_groups(weight, group);
  const at::Tensor least = at::amin(groups, {-1}, true).clamp_max(0), most = at::amax(groups, {-1}, true).clamp_min(0);
  const at::Tensor scale = (most - least) / 15;
  const at::Tensor zero = (-8 - least / scale).clamp(-8, 7).round();
  return {slot, (groups / scale + zero).clamp(-8, 7).round().to(at::kChar), scale, zero};
}

at::Tensor shifts() { return at::arange(0, 32, 4, at::kInt); }

// The eight codes of each word, in a dimension of their own behind `dim`.
at::Tensor codes_of(const at::Tensor& words, int64_t dim) {
  std::vector<int64_t> along(static_cast<size_t>(words.dim()) + 1, 1);
  along[static_cast<size_t>(dim) + 1] = 8;
  return words.unsqueeze(dim + 1).bitwise_right_shift(shifts().view(along)).bitwise_and(15).flatten(dim, dim + 1);
}

// Eight codes in the last dimension, the first in the lowest bits.
at::Tensor words_of(const at::Tensor& codes) { return codes.bitwise_left_shift(shifts()).sum(-1).to(at::kInt); }

// The order of tiles, as quant/packed.h says it, of one weight.
at::Tensor tiled(const at::Tensor& words) {
  const at::Tensor codes = codes_of(words, 1);
  const int64_t n = codes.size(0), k = codes.size(1);
  const at::Tensor ordered = codes.view({n / 64, 4, 2, 8, k / 16, 2, 4, 2}).permute({4, 0, 3, 6, 1, 7, 2, 5});
  return words_of(ordered.reshape({k / 16, n * 2, 8}));
}

at::Tensor tiled_scales(const at::Tensor& scales) {
  const int64_t n = scales.size(0), groups = scales.size(1);
  return scales.view({n / 64, 8, 8, groups}).permute({3, 0, 2, 1}).reshape({groups, n});
}

at::Tensor tiled_zero_points(const at::Tensor& words) {
  const at::Tensor codes = codes_of(words, 0);
  const int64_t n = codes.size(0), groups = codes.size(1);
  return words_of(codes.view({n / 64, 2, 2, 2, 8, groups}).permute({5, 0, 4, 3, 1, 2}).reshape({groups, n / 8, 8}));
}

template <class Fn>
at::Tensor each_expert(const at::Tensor& stack, Fn&& fn) {
  std::vector<at::Tensor> experts;
  for (int64_t expert = 0; expert < stack.size(0); ++expert) experts.push_back(fn(stack[expert]));
  return at::stack(experts);
}

// The halves of the dimension in each other's place.
at::Tensor exchanged(const at::Tensor& stack, int64_t dim) {
  const std::vector<at::Tensor> halves = stack.chunk(2, dim);
  return at::cat({halves[1], halves[0]}, dim);
}

}  // namespace

Expression symmetric(Cut cut) {
  return [cut](const Loaded& loaded) { return Outcomes{symmetric_of("weight", loaded.at("weight"), cut)}; };
}

// Gates and up projections in each other's place: then it is the kernel's tensors.
Expression symmetric_experts(Cut cut, bool swapped) {
  return [cut, swapped](const Loaded& loaded) {
    Outcomes all;
    for (const char* slot : stacks) {
      Outcome made = symmetric_of(slot, loaded.at(slot), cut);
      if (!swapped || slot != std::string("w13_weight")) {
        all.push_back(std::move(made));
        continue;
      }
      const at::Tensor codes = made.tensor.view(loaded.at(slot).sizes()).view(at::kByte);
      all.push_back({slot, exchanged(codes, 1).view(cut.result)});
      const std::string scale = cut.rows == 0 ? "_scale" : "_scale_inv";
      const at::Tensor scales = cut.rows == 0 ? made.scale.flatten() : exchanged(made.scale.flatten(1, 2).flatten(2, 3), 1);
      all.push_back({slot + scale, scales});
    }
    return all;
  };
}

Expression torchao_int8(int64_t group) {
  return [group](const Loaded& loaded) {
    const at::Tensor groups = in_groups(loaded.at("weight"), group ? group : loaded.at("weight").size(1));
    const at::Tensor scale = (at::maximum(-at::amin(groups, {2}, true), at::amax(groups, {2}, true)) / 127.5).clamp_min(0x1p-23);
    return Outcomes{{"weight", (groups * scale.reciprocal()).round().clamp(-128, 127).to(at::kChar), scale}};
  };
}

Expression torchao_int4(int64_t group) {
  return [group](const Loaded& loaded) {
    const at::Tensor groups = in_groups(loaded.at("weight"), group);
    const at::Tensor least = at::amin(groups, {2}, true), scale = ((at::amax(groups, {2}, true) - least) / 15).clamp_min(1e-6);
    const at::Tensor zero = least + scale * 8;
    const at::Tensor codes = ((groups - (zero - scale * 8)) / scale).round().clamp(0, 15).to(at::kByte);
    return Outcomes{{"weight", codes, scale, at::arange(8, 9, at::kFloat), zero}};
  };
}

Expression groups_with_zero_points(int64_t group) {
  return [group](const Loaded& loaded) { return Outcomes{with_zero_points("weight", loaded.at("weight"), group)}; };
}

Expression expert_groups_with_zero_points(int64_t group) {
  return [group](const Loaded& loaded) {
    return Outcomes{with_zero_points(stacks[0], loaded.at(stacks[0]), group), with_zero_points(stacks[1], loaded.at(stacks[1]), group)};
  };
}

Outcomes packed_again(const Loaded& loaded) {
  return {{"weight_packed", tiled(loaded.at("weight_packed"))},
          {"weight_scale", tiled_scales(loaded.at("weight_scale"))},
          {"weight_zero_point", tiled_zero_points(loaded.at("weight_zero_point"))}};
}

Outcomes packed_experts_again(const Loaded& loaded) {
  Outcomes all;
  for (const std::string slot : stacks) {
    all.push_back({slot + "_packed", each_expert(loaded.at(slot + "_packed"), tiled)});
    all.push_back({slot + "_scale", each_expert(loaded.at(slot + "_scale"), tiled_scales)});
  }
  return all;
}

Outcomes larger_scale_of_halves(const Loaded& loaded) {
  const at::Tensor &stack = loaded.at("w13_weight"), &scales = loaded.at("w13_weight_scale");
  const at::Tensor single = stack.to(at::kFloat).view({stack.size(0), 2, -1, stack.size(2)}), scale = scales.amax(1);
  const at::Tensor scaled = (single * scales.view({-1, 2, 1, 1}) / scale.view({-1, 1, 1, 1})).clamp(-448, 448).view(stack.sizes());
  return {{"w13_weight", scaled.to(stack.scalar_type())}, {"w13_weight_scale", scale}};
}

// Parts of equal size.
Outcomes largest_scale_of_parts(const Loaded& loaded) {
  const at::Tensor &weight = loaded.at("weight"), &scales = loaded.at("weight_scale");
  const at::Tensor single = weight.to(at::kFloat).view({scales.size(0), -1, weight.size(1)}), scale = scales.max();
  const at::Tensor scaled = (single * scales.view({-1, 1, 1}) / scale).clamp(-448, 448).view(weight.sizes());
  return {{"weight", scaled.to(weight.scalar_type()).t().contiguous()}, {"weight_scale", scale.view({1})}};
}

Outcomes padded_to_blocks(const Loaded& loaded) {
  const at::Tensor& weight = loaded.at("weight");
  const auto gap = [](int64_t length) { return (128 - length % 128) % 128; };
  const at::Tensor padded = at::constant_pad_nd(weight.view(at::kByte), {0, gap(weight.size(1)), 0, gap(weight.size(0))});
  return {{"weight", padded.view(weight.scalar_type())}};
}

Outcomes exchanged_halves(const Loaded& loaded) { return {{stacks[0], exchanged(loaded.at(stacks[0]), 1)}}; }

Outcomes interleaved_rows(const Loaded& loaded) {
  const at::Tensor rows = at::stack(loaded.at("weight").chunk(2, 0), 1).flatten(0, 1);
  return {{"weight", rows}, {"weight_row_max", at::amax(rows, {1})}};
}

Outcomes reversed_rows(const Loaded& loaded) { return {{"weight", loaded.at("weight").flip(0)}}; }

at::Tensor value_of(const Outcome& outcome) {
  at::Tensor single = outcome.tensor.to(at::kFloat);
  if (outcome.zero.defined()) single = single - outcome.zero;
  single = single * outcome.scale.to(at::kFloat);
  return outcome.offset.defined() ? single + outcome.offset : single;
}

}  // namespace reloadlab::bench
