#include "reference/model/quant/packed.h"

#include <ATen/ops/add.h>
#include <ATen/ops/bitwise_and.h>
#include <ATen/ops/bitwise_right_shift.h>
#include <ATen/ops/empty.h>

namespace reloadlab::model {
namespace {

// The lower and the upper halves of bytes, into a tensor that has both in its last dimension.
void split_bytes(const at::Tensor& bytes, const at::Tensor& codes) {
  at::Tensor low = codes.select(-1, 0), high = codes.select(-1, 1);
  at::bitwise_and_out(low, bytes, 15);
  at::bitwise_right_shift_out(high, bytes, 4);
}

void join_bytes(const at::Tensor& codes, at::Tensor bytes) { at::add_out(bytes, codes.select(-1, 0), codes.select(-1, 1), 16); }

// Codes [n, k] in the order of tiles: [k/16, n/64, c, r, j, l, b, h].
at::Tensor in_weight_tiles(const at::Tensor& codes) {
  return codes.view({codes.size(0) / tile_columns, 4, 2, 8, codes.size(1) / tile_rows, 2, 4, 2}).permute({4, 0, 3, 6, 1, 7, 2, 5});
}

at::Tensor weight_bytes(const at::Tensor& words) {
  return words.view(at::kByte).view({words.size(0), words.size(1) / (2 * tile_columns), 8, 4, 4, 2, 2});
}

// Column 8 · j + i of 64 stands in word i, and there j = 4 · j2 + 2 · j1 + j0 in nibble 4 · j0 + 2 · j2 + j1: [m, n/64, i, j0, j2, j1].
at::Tensor in_zero_point_tiles(const at::Tensor& codes) {
  return codes.view({codes.size(0) / tile_columns, 2, 2, 2, 8, codes.size(1)}).permute({5, 0, 4, 3, 1, 2});
}

at::Tensor zero_point_bytes(const at::Tensor& words) { return words.view(at::kByte).view({words.size(0), words.size(1) / 8, 8, 2, 2}); }

// With one group columns 8 · m + 2 · i + l of 32 have the order i, m, l: kernels then apply scales to sums, whose fragments are others.
at::Tensor in_scale_tiles(const at::Tensor& scales) {
  const int64_t n = scales.size(0), groups = scales.size(1);
  if (groups == 1) return scales.view({n / 32, 4, 4, 2, groups}).permute({4, 0, 2, 1, 3});
  return scales.view({n / tile_columns, 8, 8, groups}).permute({3, 0, 2, 1});
}

}  // namespace

at::Tensor unpacked_columns(const at::Tensor& words) {
  const int64_t rows = words.size(0), pairs = words.size(1) * 4;
  at::Tensor codes = at::empty({rows, pairs, 2}, words.options().dtype(at::kByte));
  split_bytes(words.view(at::kByte), codes);
  return codes.view({rows, pairs * 2});
}

at::Tensor unpacked_rows(const at::Tensor& words) {
  const int64_t rows = words.size(0), columns = words.size(1);
  at::Tensor codes = at::empty({rows, 4, 2, columns}, words.options().dtype(at::kByte));
  split_bytes(words.view(at::kByte).view({rows, columns, 4}).transpose(1, 2), codes.transpose(2, 3));
  return codes.view({rows * codes_per_word, columns});
}

at::Tensor tiled_weight(const at::Tensor& codes) {
  at::Tensor words = at::empty({codes.size(1) / tile_rows, codes.size(0) * 2}, codes.options().dtype(at::kInt));
  join_bytes(in_weight_tiles(codes), weight_bytes(words));
  return words;
}

at::Tensor tiled_zero_points(const at::Tensor& codes) {
  at::Tensor words = at::empty({codes.size(1), codes.size(0) / codes_per_word}, codes.options().dtype(at::kInt));
  join_bytes(in_zero_point_tiles(codes), zero_point_bytes(words));
  return words;
}

at::Tensor tiled_scales(const at::Tensor& scales) {
  at::Tensor tiled = at::empty({scales.size(1), scales.size(0)}, scales.options());
  const at::Tensor ordered = in_scale_tiles(scales);
  tiled.view(ordered.sizes()).copy_(ordered);
  return tiled;
}

at::Tensor weight_of_tiles(const at::Tensor& words) {
  at::Tensor codes = at::empty({words.size(1) / 2, words.size(0) * tile_rows}, words.options().dtype(at::kByte));
  split_bytes(weight_bytes(words), in_weight_tiles(codes));
  return codes;
}

at::Tensor zero_points_of_tiles(const at::Tensor& words) {
  at::Tensor codes = at::empty({words.size(1) * codes_per_word, words.size(0)}, words.options().dtype(at::kByte));
  split_bytes(zero_point_bytes(words), in_zero_point_tiles(codes));
  return codes;
}

at::Tensor scales_of_tiles(const at::Tensor& tiled) {
  at::Tensor scales = at::empty({tiled.size(1), tiled.size(0)}, tiled.options());
  const at::Tensor ordered = in_scale_tiles(scales);
  ordered.copy_(tiled.view(ordered.sizes()));
  return scales;
}

at::Tensor dequantized(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor& zero_points) {
  const int64_t n = codes.size(0), groups = scales.size(1);
  at::Tensor single = codes.to(at::kFloat), grouped = single.view({n, groups, codes.size(1) / groups});
  if (zero_points.defined())
    grouped.sub_(zero_points.unsqueeze(2));
  else
    grouped.sub_(code_of_zero);
  grouped.mul_(scales.unsqueeze(2));
  return single;
}

}  // namespace reloadlab::model
