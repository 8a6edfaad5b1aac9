// What ATen takes inside of copy_, measured, against the arithmetic that memory formulas have for it.
#include "reference/model/transpose_tile.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/zeros.h>

#include "reference/base/scalar.h"
#include "reference/model/kind.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::model {
namespace {

Lying lying(const at::Tensor& tensor) { return {tensor.sizes().vec(), tensor.strides().vec(), from_torch(tensor.scalar_type())}; }

at::TensorOptions of(DType dtype) { return at::TensorOptions(to_torch(dtype)); }
at::Tensor by_column(int64_t rows, int64_t columns, DType dtype) {
  return at::zeros({rows * columns}, of(dtype)).as_strided({rows, columns}, {1, rows});
}
at::Tensor by_row(int64_t rows, int64_t columns, DType dtype) { return at::empty({rows, columns}, of(dtype)); }

void expect_measured(const at::Tensor& to, const at::Tensor& from, int64_t tile) {
  MemoryProbe probe;
  to.copy_(from);
  EXPECT_EQ(probe.peak(), tile);
  EXPECT_EQ(copy_tile_bytes(lying(to), lying(from)), tile);
}

TEST(TransposeTile, has_sixty_rows_and_columns_and_twice_as_many_of_u8) {
  for (DType dtype : all_dtypes()) {
    SCOPED_TRACE(dtype_name(dtype));
    const int64_t edge = dtype == DType::u8 ? 120 : 60;
    expect_measured(by_row(60, 60, dtype), by_column(60, 60, dtype), edge * edge * dtype_size(dtype));
    expect_measured(by_row(59, 61, dtype), by_column(59, 61, dtype), 0);
  }
}

TEST(TransposeTile, is_taken_for_whole_columns_into_whole_rows) {
  constexpr DType f32 = DType::f32;
  constexpr int64_t tile = 60 * 60 * 4;
  expect_measured(by_row(36, 100, f32), by_column(36, 100, f32), tile);
  expect_measured(by_row(60, 60, f32), by_column(60, 120, f32).narrow(1, 60, 60), tile);
  expect_measured(by_row(60, 60, f32), by_column(120, 60, f32).narrow(0, 0, 60), 0);
  expect_measured(by_row(120, 60, f32).narrow(0, 60, 60), by_column(60, 60, f32), tile);
  expect_measured(by_row(60, 120, f32).narrow(1, 60, 60), by_column(60, 60, f32), 0);
  expect_measured(by_column(60, 60, f32), by_column(60, 60, f32), 0);
  expect_measured(by_row(60, 60, f32), by_row(60, 60, f32), 0);
  expect_measured(by_row(60, 60, f32), by_row(60, 120, f32).slice(1, 0, 120, 2), 0);
  expect_measured(at::empty({1, 60, 60}, of(f32)), by_column(60, 60, f32).unsqueeze(0), 0);
  expect_measured(at::empty({2, 60, 60}, of(f32)), by_column(60, 60, f32), 0);
}

TEST(TransposeTile, is_not_taken_where_elements_are_converted) {
  expect_measured(by_row(60, 60, DType::f32), by_column(60, 60, DType::bf16), 0);
  expect_measured(by_row(60, 60, DType::bf16), by_column(60, 60, DType::f64), 0);
  expect_measured(by_row(60, 60, DType::i8), by_column(60, 60, DType::u8), 0);
}

// One row is one column of rows of one: ATen asks the strides.
TEST(TransposeTile, is_taken_for_one_row_that_says_it_is_columns) {
  const int64_t tile = 60 * 60 * 2;
  expect_measured(by_row(1, 3600, DType::bf16), by_column(1, 3600, DType::bf16), tile);
  expect_measured(by_row(3600, 1, DType::bf16), by_column(3600, 1, DType::bf16), tile);
  expect_measured(by_row(3600, 1, DType::bf16), by_row(3600, 1, DType::bf16), 0);
}

TEST(TransposeTile, is_taken_by_clones_of_one_row_or_column_only) {
  for (const auto& [rows, columns] : {std::pair{60, 60}, {1, 3600}, {3600, 1}, {1, 3599}, {120, 60}}) {
    const at::Tensor loaded = by_column(rows, columns, DType::bf16);
    MemoryProbe probe;
    const at::Tensor copy = loaded.clone();
    EXPECT_EQ(probe.peak() - probe.live(), clone_tile_bytes(lying(loaded))) << rows << "x" << columns;
    EXPECT_EQ(copy.strides(), loaded.strides());
  }
  EXPECT_EQ(clone_tile_bytes(lying(by_column(1, 3600, DType::bf16))), 60 * 60 * 2);
}

// Every kind whose loaders copy matrices; each with some that take a tile and some of which the rank takes rows.
TEST(TransposeTile, is_what_loaders_take) {
  std::vector<LayerSpec> layers;
  for (const char* kind : {"column_parallel_linear", "row_parallel_linear", "replicated_linear"})
    layers.push_back(layer_of(kind, {{"in", 128L}, {"out", 96L}}, kind, DType::bf16));
  layers.push_back(layer_of("merged_column_parallel_linear", {{"in", 64L}, {"outs", Shape{64, 128}}}, "merged", DType::bf16));
  layers.push_back(layer_of("qkv_parallel_linear", {{"hidden", 128L}, {"heads", 4L}, {"kv_heads", 1L}, {"head_dim", 32L}}, "qkv"));
  layers.push_back(layer_of("vocab_parallel_embedding", {{"vocab", 100L}, {"hidden", 70L}}, "vocab", DType::f16));
  layers.push_back(layer_of("packed_column_parallel_linear", {{"in", 512L}, {"outs", Shape{64, 64}}}, "packed", DType::bf16));
  layers.push_back(layer_of("mamba_mixer", {{"channels", 128L}, {"state", 64L}}, "mixer", DType::bf16));
  for (const char* parallel : {"expert", "tensor"})
    layers.push_back(layer_of("fused_experts",
                              {{"hidden", 64L}, {"intermediate", 128L}, {"experts", 2L}, {"parallel", std::string(parallel)}},
                              std::string(parallel) + ".experts", DType::bf16));
  const ModelSpec spec = model_of(layers);
  for (const TensorParallel tp : {TensorParallel{}, TensorParallel{1, 2}}) {
    std::unique_ptr<Model> model = build_model(spec, tp);
    int tiles = 0;
    for (const LayerSpec& layer : layers) {
      const LayerKind& kind = *find_layer_kind(layer.kind);
      const std::vector<SlotSpec> slots = kind.slots(layer, tp);
      for (const Delivery& delivery : kind.deliveries(layer)) {
        if (delivery.shape.size() != 2) continue;
        const at::Tensor loaded = by_column(delivery.shape[0], delivery.shape[1], delivery.dtype);
        const int64_t tile = loader_tile_bytes(lying(loaded), *find_slot(slots, delivery.slot), kind.placements(layer, delivery, tp));
        MemoryProbe probe;
        ASSERT_TRUE(load_one(*model, delivery, loaded).ok()) << delivery.name;
        const int64_t scratch = kind.loader_scratch_bytes(layer, delivery, tp, Operators::cpu);
        EXPECT_EQ(probe.peak(), std::max(tile, scratch)) << delivery.name << " of " << tp.size;
        tiles += tile > 0;
      }
    }
    EXPECT_GE(tiles, 4);
  }
}

}  // namespace
}  // namespace reloadlab::model
