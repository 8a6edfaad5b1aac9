#pragma once
// How delivered tensors reach the loaders. Without chunks each one is a tensor of its own that lives as long as somebody holds it.
// With chunks the transport owns one buffer: the tensors of a chunk are views of it, and it is scribbled over and refilled for
// the next chunk, as engines' receive buffers are.
#include <ATen/core/Tensor.h>

#include <vector>

#include "sim/checkpoint/checkpoint.h"
#include "sim/replay/catalogue.h"
#include "sim/replay/sequence.h"

namespace reloadlab::sim {

class Transport {
 public:
  Transport(const Catalogue& catalogue, std::vector<Sent> sent, const Checkpoint& source, bool chunked, bool with_bytes = true);
  const std::vector<Sent>& sent() const { return sent_; }
  // The tensor of the position. Positions are asked for in order.
  Result<at::Tensor> fetch(size_t position);

 private:
  void scribble();
  int64_t bytes_of(const Sent& sent) const;
  int64_t largest_chunk() const;
  Result<at::Tensor> make(const Sent& sent) const;
  Status fill_chunk(int chunk);

  const Catalogue& catalogue_;
  std::vector<Sent> sent_;
  const Checkpoint& source_;
  bool chunked_;
  bool with_bytes_;    // false: tensors above 64 elements are on meta
  at::Tensor buffer_;  // bytes, nobody's account
  int chunk_ = -1;
  size_t chunk_begin_ = 0;
  std::vector<at::Tensor> views_;
};

}  // namespace reloadlab::sim
