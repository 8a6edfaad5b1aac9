#pragma once
// Copies of loads into kernel tensors. Where a launch costs more than the bytes, small ones are gathered and go out as one operator; large
// ones and those that the operator has no kernel for (strided, another element type, another device) go out by themselves, at once.
#include <c10/core/Stream.h>

#include <array>
#include <optional>
#include <vector>

#include "reference/layerwise/accounting/write_tracker.h"

namespace reloadlab::layerwise {

class Transfer {
 public:
  // Copies `copy.from` to where `copy.to` lies in its storage, in the kernel's. REQUIRES that no copy since the last flush touches a byte
  // of it, and that the source keeps its bytes until the next one.
  void add(const at::Tensor& kernel, const PlainCopy& copy);
  // Issues what waits, on the stream on which it was added.
  void flush();
  // Forgets what waits.
  void drop();

 private:
  // As words of one size, of which the operator moves several at a time.
  struct Gathered {
    std::vector<at::Tensor> to, from;
  };
  void gather(const at::Tensor& kernel, const PlainCopy& copy, int64_t bytes);

  std::array<Gathered, 3> gathered_;  // words of 1, 2 and 4 bytes
  size_t count_ = 0;
  int64_t bytes_ = 0;
  std::optional<c10::Stream> stream_;
};

}  // namespace reloadlab::layerwise
