#pragma once
// NCCL itself, without c10d: a communicator of all ranks, on a stream of its own.
#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>
#include <nccl.h>

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace reloadlab::bench {

// How broadcasts and GEMMs share a GPU.
struct Sharing {
  bool high_priority = true;  // the stream of broadcasts
  // NCCL has at most so many CTAs, and GEMMs leave it as many SMs. 0: as many as it takes for NCCL, and all SMs for GEMMs, whose CTAs stay
  // to the end: a broadcast that comes after one has none before that.
  int ctas = 0;
  ncclConfig_t config() const;
  bool operator==(const Sharing&) const = default;
};

class RawNccl {
 public:
  RawNccl(c10d::Store& store, int rank, int ranks, const Sharing& sharing);
  ~RawNccl();
  RawNccl(const RawNccl&) = delete;
  RawNccl& operator=(const RawNccl&) = delete;
  const c10::cuda::CUDAStream& stream() const { return stream_; }
  // On that stream; the root's tensor is sent, the others' is received into.
  void broadcast(const at::Tensor& tensor, int root);
  // What the given stream does next begins on all ranks at the same time.
  void align(const c10::cuda::CUDAStream& stream);

 private:
  ncclComm_t communicator_ = nullptr;
  c10::cuda::CUDAStream stream_;
  at::Tensor one_;
};

}  // namespace reloadlab::bench
