#pragma once
// Closed-form arithmetic of shards, without tensors: what slots(), deliveries() and placements() of the kinds are made of. The
// loaders do not use it.
//
//   whole   0 ………………………………… whole ┆ padding ┆ padded
//   ranks   |   rank 0   |   rank 1   |   rank 2     |      each `local` long; rank 2's last elements are padding
#include <cstdint>
#include <vector>

#include "reference/model/spec.h"

namespace reloadlab::model {

inline int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// One rank's piece of a dimension.
struct Piece {
  int64_t local;  // elements that the rank holds, padding included
  int64_t start;  // where the piece begins in the whole
  int64_t used;   // elements of it that the whole has; the others are padding
  bool padded() const { return used < local; }
};
Piece piece_of(int64_t whole, int64_t padded, TensorParallel tp);  // REQUIRES padded >= whole, padded % tp.size == 0

// The rank's box of a tensor whose dimension `dim` is split: no placement when it has no elements.
std::vector<Placement> place(Shape source_start, Shape target_start, Shape extent);
std::vector<Placement> place_whole(const Shape& shape);

// What checkpoints call a layer: an adapter's base layer by the adapter's path, "blocks.0.o" for "blocks.0.o.base_layer".
std::string_view checkpoint_name(std::string_view path);

// "blocks.0.qkv" and "q_proj.weight" make "blocks.0.q_proj.weight".
std::string sibling(std::string_view path, std::string_view name);

}  // namespace reloadlab::model
