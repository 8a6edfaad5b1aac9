#include "reference/model/kinds/shards.h"

#include <gtest/gtest.h>

namespace reloadlab::model {
namespace {

TEST(Shards, shapes_are_aligned_at_their_last_dimension) {
  EXPECT_EQ(aligned({}, 2), (Shape{1, 1}));
  EXPECT_EQ(aligned({4, 2}, 3), (Shape{1, 4, 2}));
  EXPECT_EQ(aligned({4, 2}, 2), (Shape{4, 2}));
  EXPECT_EQ(aligned({4, 2}, 1), (Shape{4, 2}));
}

TEST(Shards, base_layers_are_called_as_what_wraps_them) {
  EXPECT_EQ(checkpoint_name("blocks.0.o.base_layer"), "blocks.0.o");
  EXPECT_EQ(checkpoint_name("blocks.0.o"), "blocks.0.o");
  EXPECT_EQ(checkpoint_name("base_layer"), "base_layer");
  EXPECT_EQ(sibling("blocks.0.qkv.base_layer", "q_proj"), "blocks.0.q_proj");
}

TEST(Shards, pieces_tile_the_whole_and_then_the_padding) {
  for (int size : {1, 2, 3, 4, 8}) {
    for (int64_t whole = 0; whole <= 48; ++whole) {
      int64_t next = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Piece piece = piece_of(whole, 48, {rank, size});
        EXPECT_EQ(piece.local, 48 / size);
        EXPECT_EQ(piece.start, next);
        EXPECT_GE(piece.used, 0);
        EXPECT_LE(piece.used, piece.local);
        EXPECT_EQ(piece.padded(), piece.local * (rank + 1) > whole);
        next += piece.used;
      }
      EXPECT_EQ(next, whole);
    }
  }
}

TEST(Shards, a_rank_without_elements_has_no_placement) {
  EXPECT_TRUE(place({4, 0}, {0, 0}, {0, 3}).empty());
  ASSERT_EQ(place_whole({2, 3}).size(), 1u);
  EXPECT_EQ(place_whole({2, 3})[0].extent, (Shape{2, 3}));
  EXPECT_EQ(place_whole({}).size(), 1u);
}

TEST(Shards, siblings_replace_the_last_word_of_a_path) {
  EXPECT_EQ(sibling("blocks.0.qkv", "q_proj"), "blocks.0.q_proj");
  EXPECT_EQ(sibling("qkv", "q_proj"), "q_proj");
}

TEST(Shards, storage_is_what_a_tensor_allocates) {
  EXPECT_EQ(storage_bytes({.name = "dense", .shape = {4, 4}, .dtype = DType::bf16}), 32);
  EXPECT_EQ(storage_bytes({.name = "strided", .shape = {4, 4}, .dtype = DType::f32, .strides = {8, 1}}), (3 * 8 + 3 + 1) * 4);
  EXPECT_EQ(storage_bytes({.name = "expanded", .shape = {4, 8}, .dtype = DType::f32, .strides = {0, 1}}), 32);
  EXPECT_EQ(storage_bytes({.name = "alias", .shape = {4}, .dtype = DType::f32, .alias_of = "weight"}), 0);
  EXPECT_EQ(storage_bytes({.name = "empty", .kind = SlotSpec::Kind::empty_buffer}), 0);
  EXPECT_EQ(storage_bytes({.name = "nothing", .shape = {0, 4}}), 0);
}

}  // namespace
}  // namespace reloadlab::model
