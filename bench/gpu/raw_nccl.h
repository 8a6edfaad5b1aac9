#pragma once
// NCCL itself, without c10d: a communicator of all ranks, on a stream of its own.
#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>
#include <nccl.h>

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace reloadlab::bench {

class RawNccl {
 public:
  RawNccl(c10d::Store& store, int rank, int ranks, bool high_priority);
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
