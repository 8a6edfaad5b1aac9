#include "bench/gpu/raw_nccl.h"

#include <ATen/ops/ones.h>

#include <cstring>

#include "reference/base/check.h"

namespace reloadlab::bench {
namespace {

constexpr const char* key = "raw NCCL";

void must(ncclResult_t result) { RELOADLAB_CHECK(result == ncclSuccess, ncclGetErrorString(result)); }

ncclUniqueId meet(c10d::Store& store, int rank) {
  ncclUniqueId id;
  if (rank == 0) {
    must(ncclGetUniqueId(&id));
    store.set(key, std::vector<uint8_t>(id.internal, id.internal + sizeof id.internal));
  }
  const std::vector<uint8_t> told = store.get(key);
  std::memcpy(id.internal, told.data(), sizeof id.internal);
  return id;
}

}  // namespace

ncclConfig_t Sharing::config() const {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  if (ctas == 0) return config;
  config.maxCTAs = ctas;
  config.cgaClusterSize = 1;  // clusters would need SMs side by side, and those that are left lie anywhere
  return config;
}

RawNccl::RawNccl(c10d::Store& store, int rank, int ranks, const Sharing& sharing)
    : stream_(c10::cuda::getStreamFromPool(sharing.high_priority)), one_(at::ones({1}, at::TensorOptions().device(at::kCUDA))) {
  ncclConfig_t config = sharing.config();
  must(ncclCommInitRankConfig(&communicator_, ranks, meet(store, rank), rank, &config));
}

RawNccl::~RawNccl() { ncclCommDestroy(communicator_); }

void RawNccl::broadcast(const at::Tensor& tensor, int root) {
  must(ncclBroadcast(tensor.data_ptr(), tensor.data_ptr(), tensor.nbytes(), ncclInt8, root, communicator_, stream_));
}

void RawNccl::align(const c10::cuda::CUDAStream& stream) {
  must(ncclAllReduce(one_.data_ptr(), one_.data_ptr(), 1, ncclFloat, ncclMax, communicator_, stream));
}

}  // namespace reloadlab::bench
