#pragma once
// How delivered tensors reach the loaders. Without chunks each one is a tensor of its own that lives as long as somebody holds it.
// With chunks the tensors of a chunk are views of one buffer. Either the transport owns it, and it is scribbled over and refilled for
// the next chunk, as engines' receive buffers are; or each chunk has its own, which lives as long as a view of it does.
//
// On devices tensors come by other streams. With source=stream that is one stream, the transport's, and so is the memory; otherwise
// memory is the current stream's, and each tensor takes a stream of the pool.
//
// With source=ipc the buffer is memory of another process. When the receiver's stream has done what the load calls of a chunk gave it, the
// other process fills it again, or it is mapped here no more.
//
// What is handed over comes from the receiver's account, unless the transport owns it; what it takes to get there is nobody's.
#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>
#include <c10/util/FunctionRef.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sim/checkpoint/checkpoint.h"
#include "sim/replay/catalogue.h"
#include "sim/replay/sequence.h"
#include "sim/world/foreign_memory.h"

namespace reloadlab::sim {

struct Shipping {
  bool chunked = false;
  bool reuses = true;  // with chunks: one buffer for all of them
  LoadPlan::Source source = LoadPlan::Source::local;
  LoadPlan::Handle handle = LoadPlan::Handle::reused;  // ipc
  at::Device device = at::kCPU;                        // where tensors arrive; on meta those of up to 64 elements are on the CPU
  bool bytes = true;                                   // false: on a device that has none
  std::function<Result<std::unique_ptr<ForeignMemory>>(int64_t bytes)> foreign_memory = {};  // ipc
};

// A tensor on a host that stands for one of that shape where nobody reads values. Takes no memory.
at::Tensor shape_only(const Shape& shape, DType dtype);

class Transport {
 public:
  Transport(const Catalogue& catalogue, std::vector<Sent> sent, const Checkpoint& source, Shipping shipping);
  const std::vector<Sent>& sent() const { return sent_; }
  // The tensor of the position. Positions are asked for in order.
  Result<at::Tensor> fetch(size_t position);
  // The load call of the position has returned: what lies in memory of another process is taken back with the last one of its chunk.
  Status returned(size_t position);
  // No more is asked for.
  Status end() { return take_back(); }

 private:
  const model::Delivery& delivery(const Sent& sent) const { return catalogue_.deliveries()[static_cast<size_t>(sent.delivery)]; }
  bool on_meta(const Sent& sent) const;
  at::Device device_of(const Sent& sent) const;
  Result<at::Tensor> content(const Sent& sent) const;
  at::Tensor place(const Sent& sent, const at::Tensor& memory, int64_t start) const;
  Result<at::Tensor> alone(const Sent& sent) const;
  Result<at::Tensor> bring(size_t position);
  void on_its_stream(c10::function_ref<void()> fn) const;
  void transfer(const at::Tensor& values, const at::Tensor& arrived) const;
  int64_t bytes_of(const Sent& sent) const;
  int64_t chunk_bytes(size_t begin) const;
  int64_t largest_chunk() const;
  Status fill_chunk(int chunk);
  Status bring_views(const at::Tensor& memory);
  Status bring_from_another_process();
  Status take_back();

  const Catalogue& catalogue_;
  std::vector<Sent> sent_;
  const Checkpoint& source_;
  Shipping shipping_;
  std::optional<c10::Stream> stream_;  // none: it has none of its own
  std::unique_ptr<ForeignMemory> foreign_;
  at::Tensor buffer_;  // bytes
  int chunk_ = -1;
  size_t chunk_begin_ = 0;
  std::vector<at::Tensor> views_;
};

}  // namespace reloadlab::sim
