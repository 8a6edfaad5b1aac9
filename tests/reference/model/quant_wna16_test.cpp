// Packed int4: the layouts, as lanes of a warp would walk through them, and the online method against its formula written down again, one
// number at a time and without LibTorch.
#include <bit>
#include <cmath>
#include <cstring>

#include "reference/base/prng.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/packed.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/formats.h"
#include "tests/reference/model/quant_step.h"

namespace reloadlab::model {
namespace {

constexpr int interleaved[] = {0, 2, 4, 6, 1, 3, 5, 7};

// Numbers [rows, columns].
struct Table {
  int64_t rows, columns;
  std::vector<int64_t> values;
  int64_t& at(int64_t row, int64_t column) { return values[static_cast<size_t>(row * columns + column)]; }
  int64_t at(int64_t row, int64_t column) const { return values[static_cast<size_t>(row * columns + column)]; }
};
Table table(int64_t rows, int64_t columns) { return {rows, columns, std::vector<int64_t>(static_cast<size_t>(rows * columns))}; }

Table random_codes(int64_t rows, int64_t columns, uint64_t seed) {
  Table codes = table(rows, columns);
  Prng prng(seed);
  for (int64_t& code : codes.values) code = static_cast<int64_t>(prng.below(16));
  return codes;
}

Table transposed(const Table& from) {
  Table to = table(from.columns, from.rows);
  for (int64_t i = 0; i < from.rows; ++i)
    for (int64_t j = 0; j < from.columns; ++j) to.at(j, i) = from.at(i, j);
  return to;
}

// Eight neighbours of a row in a word, the first lowest, as signed words.
Table packed_columns(const Table& codes) {
  Table words = table(codes.rows, codes.columns / 8);
  for (int64_t i = 0; i < codes.rows; ++i)
    for (int64_t j = 0; j < words.columns; ++j) {
      uint32_t word = 0;
      for (int e = 0; e < 8; ++e) word |= static_cast<uint32_t>(codes.at(i, 8 * j + e)) << 4 * e;
      words.at(i, j) = static_cast<int32_t>(word);
    }
  return words;
}

// What lane after lane reads of a weight [k, n]: in tiles of 16 × 64 every lane takes, for four blocks of 16 columns, rows 2r, 2r + 1, 2r +
// 8 and 2r + 9 of column c and then of column c + 8.
Table lanes_of(const Table& weight) {
  Table read = table(weight.rows / 16, weight.columns * 16);
  for (int64_t tile = 0; tile < read.rows; ++tile) {
    int64_t next = 0;
    for (int64_t left = 0; left < weight.columns; left += 64)
      for (int64_t lane = 0; lane < 32; ++lane)
        for (int64_t block = 0; block < 4; ++block) {
          std::vector<int64_t> eight;
          for (int64_t column : {lane / 4, lane / 4 + 8})
            for (int64_t row : {0, 1, 8, 9}) eight.push_back(weight.at(16 * tile + 2 * (lane % 4) + row, left + 16 * block + column));
          for (int from : interleaved) read.at(tile, next++) = eight[static_cast<size_t>(from)];
        }
  }
  return read;
}

// Columns of each row in the order that kernels want: every eighth of 64, or, with one row only, pairs of four times eight.
Table ordered(const Table& rows, bool single) {
  constexpr int pairs[] = {0, 1, 8, 9, 16, 17, 24, 25};
  Table to = table(rows.rows, rows.columns);
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t j = 0; j < rows.columns; ++j) {
      const int64_t e = j % 8;
      to.at(i, j) = single ? rows.at(i, j / 32 * 32 + j % 32 / 8 * 2 + pairs[e]) : rows.at(i, j / 64 * 64 + j % 64 / 8 + 8 * e);
    }
  return to;
}

Table interleave(const Table& rows) {
  Table to = table(rows.rows, rows.columns);
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t j = 0; j < rows.columns; ++j) to.at(i, j) = rows.at(i, j / 8 * 8 + interleaved[j % 8]);
  return to;
}

void fill_wna16(const at::Tensor& tensor, const Table& from) {
  ASSERT_EQ(tensor.sizes().vec(), (Shape{from.rows, from.columns}));
  for (int64_t i = 0; i < from.rows; ++i)
    for (int64_t j = 0; j < from.columns; ++j) tensor.select(0, i).select(0, j).fill_(from.at(i, j));
}

void expect_equal_wna16(const at::Tensor& tensor, const Table& expected) {
  ASSERT_EQ(tensor.sizes().vec(), (Shape{expected.rows, expected.columns}));
  const std::vector<double> values = values_of(tensor);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<double>(expected.values[i])) << i;
}

LayerSpec packed(int64_t k, std::vector<int64_t> outs, int64_t group, bool zero_points, DType dtype = DType::bf16) {
  LayerSpec spec = layer_of("packed_column_parallel_linear",
                            {{"in", k}, {"outs", std::move(outs)}, {"group", group}, {"zero_points", zero_points}}, "x", dtype);
  spec.quant = "wna16";
  return spec;
}

TEST(Wna16, puts_every_code_where_its_lane_looks_for_it) {
  for (const int64_t groups : {1, 2, 6}) {
    const int64_t n = 128, k = 96;
    const Table codes = random_codes(n, k, 1), zeros = random_codes(n, groups, 2), scales = random_codes(n, groups, 3);
    std::unique_ptr<Model> model = build_model(model_of({packed(k, {64, 64}, k / groups, true)}), {});
    fill_wna16(tensor_at(*model, "x.weight_packed"), packed_columns(codes));
    fill_wna16(tensor_at(*model, "x.weight_zero_point"), transposed(packed_columns(transposed(zeros))));
    fill_wna16(tensor_at(*model, "x.weight_scale"), scales);
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    expect_equal_wna16(tensor_at(*model, "x.weight_packed"), packed_columns(lanes_of(transposed(codes))));
    expect_equal_wna16(tensor_at(*model, "x.weight_scale"), ordered(transposed(scales), groups == 1));
    expect_equal_wna16(tensor_at(*model, "x.weight_zero_point"), packed_columns(interleave(ordered(transposed(zeros), false))));
    const std::vector<double> values = values_of(model->find("x")->quant_method->compute_value(*model->find("x"), "weight"));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t l = 0; l < k; ++l) {
        const int64_t j = l / (k / groups);
        ASSERT_EQ(values[static_cast<size_t>(i * k + l)], static_cast<double>((codes.at(i, l) - zeros.at(i, j)) * scales.at(i, j)));
      }
  }
}

TEST(Wna16, computes_the_same_as_without_it_over_any_ranks) {
  for (bool zero_points : {false, true}) {
    LayerSpec with = packed(32, {128, 256}, 8, zero_points, DType::f32), without = with;
    without.quant = "none";
    for (int size : {1, 2}) {
      Group tiled = cold_group(model_of({with}), size, numbered(model_of({with})));
      Group plain = cold_group(model_of({without}), size, numbered(model_of({without})));
      const at::Tensor input = plain.ranks[0]->find("x")->kind->example_input(without, {}, 3);
      for (int rank = 0; rank < size; ++rank) {
        ASSERT_TRUE(process_model_after_loading(*tiled.ranks[rank]).ok());
        Layer &a = *plain.ranks[rank]->find("x"), &b = *tiled.ranks[rank]->find("x");
        EXPECT_TRUE(a.kind->forward(a, input).equal(b.kind->forward(b, input))) << size << " ranks, rank " << rank;
      }
    }
  }
}

TEST(Wna16, keeps_the_shape_that_was_loaded_last) {
  LayerSpec spec = packed(16, {128, 64, 64}, 8, true);
  spec.values["names"] = std::string("q_proj,k_proj,v_proj");
  const ModelSpec model_spec = model_of({spec});
  std::vector<std::string> shapes;
  for (const Delivery& delivery : deliveries_of(model_spec))
    if (delivery.slot == "weight_shape") shapes.push_back(delivery.name);
  EXPECT_EQ(shapes, (std::vector<std::string>{"q_proj.weight_shape", "k_proj.weight_shape", "v_proj.weight_shape"}));
  std::unique_ptr<Model> model = cold(model_spec, {}, [&, source = numbered(model_spec)](const Delivery& delivery) {
    at::Tensor whole = source(delivery);
    return delivery.slot == "weight_shape" ? whole.fill_(delivery.name == shapes[2] ? 7 : 5) : whole;
  });
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(values_of(tensor_at(*model, "x.weight_shape")), (std::vector<double>{7, 7}));
}

// To an integer of 4 bits; what is no number is 0.
int64_t to_integer(float value) {
  return std::isnan(value) ? 0 : static_cast<int64_t>(std::nearbyint(std::min(std::max(value, -8.0F), 7.0F)));
}

struct Group4 {
  float scale;
  int64_t zero;
};

template <class Round>
Group4 wna16_group_of(const float* values, int64_t count, float step, Round&& r) {
  float least = 0, most = 0;
  for (int64_t l = 0; l < count; ++l) {
    least = std::isnan(values[l]) || std::isnan(least) ? NAN : std::min(least, values[l]);
    most = std::isnan(values[l]) || std::isnan(most) ? NAN : std::max(most, values[l]);
  }
  const float scale = r(r(most - least) / 15);
  return {scale == 0 ? step : scale, to_integer(r(-8 - r(least / scale)))};
}

LayerSpec wna16_online(int64_t group, int64_t n, int64_t k, DType dtype) {
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", k}, {"out", n}, {"bias", true}}, "x", dtype);
  spec.quant = "wna16_online_g" + std::to_string(group);
  return spec;
}

void expect_as_defined_wna16(int64_t group, DType dtype, const std::vector<float>& values, int64_t n, int64_t k) {
  const auto r = [&](float value) { return dtype == DType::bf16 ? to_bf16(value) : value; };
  std::unique_ptr<Model> model = build_model(model_of({wna16_online(group, n, k, dtype)}), {});
  const at::Tensor& to = tensor_at(*model, "x.weight");
  for (size_t i = 0; i < values.size(); ++i) {
    const auto upper = static_cast<uint16_t>(std::bit_cast<uint32_t>(values[i]) >> 16);
    if (dtype == DType::bf16)
      std::memcpy(static_cast<uint16_t*>(to.data_ptr()) + i, &upper, sizeof upper);
    else
      std::memcpy(static_cast<float*>(to.data_ptr()) + i, &values[i], sizeof values[i]);
  }
  tensor_at(*model, "x.bias").zero_();
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  const at::Tensor codes = weight_of_tiles(tensor_at(*model, "x.weight")).contiguous();
  const at::Tensor zeros = zero_points_of_tiles(tensor_at(*model, "x.weight_zero_point")).contiguous();
  const at::Tensor scales = scales_of_tiles(tensor_at(*model, "x.weight_scale")).to(at::kFloat).contiguous();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < k / group; ++j) {
      const float* first = values.data() + i * k + j * group;
      const Group4 expected = wna16_group_of(first, group, dtype == DType::bf16 ? 0x1p-7F : 0x1p-23F, r);
      const float scale = scales.const_data_ptr<float>()[i * (k / group) + j];
      ASSERT_TRUE(std::isnan(expected.scale) ? std::isnan(scale) : scale == expected.scale) << i << ", " << j << ": " << scale;
      ASSERT_EQ(zeros.const_data_ptr<uint8_t>()[i * (k / group) + j], expected.zero + 8) << i << ", " << j;
      for (int64_t l = 0; l < group; ++l)
        ASSERT_EQ(codes.const_data_ptr<uint8_t>()[i * k + j * group + l],
                  to_integer(r(r(first[l] / expected.scale) + static_cast<float>(expected.zero))) + 8)
            << first[l];
    }
}

class Wna16Online : public ::testing::TestWithParam<std::tuple<int, DType>> {};

// Every bf16 there is, scattered, and as many of f32; those above a size get the smallest exponent.
TEST_P(Wna16Online, every_input_comes_out_as_defined) {
  const auto [group, dtype] = GetParam();
  for (float most : {INFINITY, 3e38F, 1e30F, 448.0F, 1.0F, 1e-5F, 1e-38F}) {
    std::vector<float> values(65536);
    for (uint32_t i = 0; i < 65536; ++i) {
      const uint32_t scattered = i * 40503 & 0xffff, lower = dtype == DType::f32 ? i * 2654435761U >> 16 : 0;
      values[i] = std::bit_cast<float>(scattered << 16 | lower);
      if (most < INFINITY && !(std::abs(values[i]) <= most))
        values[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(values[i]) & 0x807fffff);
    }
    expect_as_defined_wna16(group, dtype, values, 256, 256);
  }
}

TEST_P(Wna16Online, zeros_come_out_as_zeros) {
  const auto [group, dtype] = GetParam();
  expect_as_defined_wna16(group, dtype, std::vector<float>(64 * 128), 64, 128);
  std::vector<float> positive(64 * 128, 2.5F);
  expect_as_defined_wna16(group, dtype, positive, 64, 128);
}

// -8 - least / scale is rounded to the weight's type before it is rounded to an integer, which matters where it is near -7.5.
TEST_P(Wna16Online, zero_points_near_ties_come_out_as_defined) {
  const auto [group, dtype] = GetParam();
  std::vector<float> values(64 * 128);
  for (uint32_t row = 0; row < 64; ++row)
    for (size_t first = row * 128; first < (row + 1) * 128; first += static_cast<size_t>(group)) {
      values[first] = -from_bf16(static_cast<uint16_t>(0x3d00 + row));
      values[first + 1] = 1;
    }
  expect_as_defined_wna16(group, dtype, values, 64, 128);
}

INSTANTIATE_TEST_SUITE_P(all, Wna16Online, ::testing::Combine(::testing::Values(32, 128), ::testing::Values(DType::f32, DType::bf16)));

std::vector<LayerSpec> wna16_sizes() {
  std::vector<LayerSpec> all;
  for (DType dtype : {DType::f32, DType::bf16})
    for (int64_t n : {64, 192})
      for (int64_t k : {16, 32, 96, 128, 384}) {
        for (int64_t group : {0, 8, 16, 128})
          for (bool zero_points : {false, true})
            if (group == 0 || k % group == 0) all.push_back(packed(k, {n}, group, zero_points, dtype));
        for (int64_t group : {32, 128})
          if (k % group == 0) all.push_back(wna16_online(group, n, k, dtype));
      }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Wna16, QuantStep, ::testing::ValuesIn(wna16_sizes()), quant_step_name);

TEST(Wna16Sizes, are_refused_where_nothing_whole_comes_out) {
  const auto refusal = [](const LayerSpec& spec) { return check_model(model_of({spec}), 1).message(); };
  EXPECT_EQ(refusal(packed(16, {96}, 8, true)),
            "x: quantization wna16 needs tiles of 64 outputs and 16 inputs on each rank, and the weight has 96 and 16");
  EXPECT_EQ(refusal(packed(24, {64}, 8, true)),
            "x: quantization wna16 needs tiles of 64 outputs and 16 inputs on each rank, and the weight has 64 and 24");
  EXPECT_EQ(refusal(packed(12, {64}, 4, true)), "x: 12 inputs cannot be packed by 8");
  EXPECT_EQ(refusal(packed(16, {64}, 3, true)), "x: 16 inputs are no whole groups of 3");
  EXPECT_EQ(refusal(packed(16, {60}, 8, true)), "x: zero points of 60 outputs cannot be packed by 8");
  EXPECT_EQ(refusal(wna16_online(32, 96, 64, DType::bf16)),
            "x: quantization wna16_online_g32 needs tiles of 64 outputs on each rank, and the weight has 96");
  EXPECT_EQ(refusal(wna16_online(128, 64, 64, DType::bf16)),
            "x: quantization wna16_online_g128 needs groups of 128 inputs, and the weight has 64");
  LayerSpec plain = wna16_online(32, 64, 64, DType::bf16);
  plain.quant = "wna16";
  EXPECT_EQ(refusal(plain),
            "x: quantization wna16 needs a packed weight with its scales, as packed_column_parallel_linear and packed_row_parallel_linear "
            "have them");
}

}  // namespace
}  // namespace reloadlab::model
