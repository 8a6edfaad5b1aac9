#pragma once
// What ATen allocates inside of copy_ on a CPU where a matrix that lies column by column goes into one that lies row by row: it copies in
// tiles, 60×60 elements, or 120×120 where they are u8, and takes the memory of one (copy_transpose_valid, ATen/native/Copy.cpp). It does
// so from 3600 elements on, and only where element types are the same, so that nothing is converted. Nobody sees it but the allocator.
#include <vector>

#include "reference/model/spec.h"

namespace reloadlab::model {

// A tensor as it lies in memory.
struct Lying {
  Shape shape, strides;
  DType dtype;
};

// REQUIRES equal element counts, as copy_ does.
int64_t copy_tile_bytes(const Lying& to, const Lying& from);
// The most of a loader that copies each of the placements at once into a dense tensor, or one of those strides, as engines' loaders do.
int64_t loader_tile_bytes(const Lying& loaded, const SlotSpec& slot, const std::vector<Placement>& placements);
// A clone lies as what it is made of, if that has no gaps; then it takes a tile where the two ways to lie are the same, in one row or
// column.
inline int64_t clone_tile_bytes(const Lying& loaded) { return copy_tile_bytes(loaded, loaded); }

}  // namespace reloadlab::model
