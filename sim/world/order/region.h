#pragma once
// Which bytes of a block an access touches: an exact strided set, because intervals would see races between column shards.
//
//   columns 2..3 of a 3 x 8 byte matrix:   . . x x . . . .      begin = 2, sizes = {3}, strides = {8}, run = 2
//                                          . . x x . . . .
//                                          . . x x . . . .
#include <cstdint>
#include <span>
#include <vector>

namespace reloadlab::sim {

using BlockId = int64_t;  // a piece of device memory, kept over reuse; never a pointer

class Region {
 public:
  // REQUIRES strides >= 0. `element` is the size of one element in bytes, `offset` and `strides` count elements, as tensors do.
  Region(BlockId block, int64_t element, int64_t offset, std::span<const int64_t> sizes, std::span<const int64_t> strides);
  static Region bytes(BlockId block, int64_t begin, int64_t count);

  BlockId block() const { return block_; }
  bool empty() const { return run_ == 0; }
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }  // one past the last byte touched
  bool overlaps(const Region& other) const;
  // True where every byte of `other` certainly lies in this; may be false for scattered sets that do.
  bool covers(const Region& other) const;

 private:
  struct Dim {
    int64_t size, stride;
  };
  Region() = default;
  std::vector<int64_t> run_starts() const;  // sorted, distinct
  BlockId block_ = -1;
  int64_t begin_ = 0, end_ = 0, run_ = 0;  // every start is followed by `run` touched bytes
  std::vector<Dim> dims_;                  // outermost first; what is contiguous is folded into the run
};

}  // namespace reloadlab::sim
