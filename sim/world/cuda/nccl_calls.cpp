// Collectives of NCCL, as the program defines them: whoever listens, then the real one.
#include <nccl.h>

#include "sim/world/cuda/calls.h"
#include "sim/world/cuda/forward.h"

namespace {

using Pieces = std::vector<reloadlab::sim::cuda::Piece>;

int64_t bytes_of(size_t count, ncclDataType_t type) {
  constexpr int sizes[ncclNumTypes] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};  // in the order of nccl.h
  return static_cast<int64_t>(count) * sizes[type];
}

int rank_in(ncclComm_t communicator) {
  RELOADLAB_FORWARD(ncclCommUserRank);
  int rank = -1;
  forward(communicator, &rank);
  return rank;
}

int ranks_of(ncclComm_t communicator) {
  RELOADLAB_FORWARD(ncclCommCount);
  int ranks = 0;
  forward(communicator, &ranks);
  return ranks;
}

void sends(const char* operation, ncclComm_t communicator, cudaStream_t stream, const auto& pieces) {
  if (auto* const listener = reloadlab::sim::cuda::call_listener()) listener->sends(operation, communicator, pieces(), stream);
}

Pieces read_and_written(const void* from, int64_t from_bytes, void* to, int64_t to_bytes) {
  return {{from, from_bytes, false}, {to, to_bytes, true}};
}

// The root has the bytes, and where they are to lie as well nothing is written.
Pieces of_broadcast(const void* from, void* to, int64_t bytes, int root, ncclComm_t communicator) {
  if (rank_in(communicator) != root) return {{to, bytes, true}};
  return from == to ? Pieces{{from, bytes, false}} : read_and_written(from, bytes, to, bytes);
}

}  // namespace

extern "C" {

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root, ncclComm_t communicator,
                           cudaStream_t stream) {
  RELOADLAB_FORWARD(ncclBroadcast);
  sends("broadcast", communicator, stream, [&] { return of_broadcast(from, to, bytes_of(count, type), root, communicator); });
  return forward(from, to, count, type, root, communicator, stream);
}

ncclResult_t ncclBcast(void* buffer, size_t count, ncclDataType_t type, int root, ncclComm_t communicator, cudaStream_t stream) {
  RELOADLAB_FORWARD(ncclBcast);
  sends("broadcast", communicator, stream, [&] { return of_broadcast(buffer, buffer, bytes_of(count, type), root, communicator); });
  return forward(buffer, count, type, root, communicator, stream);
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type, ncclRedOp_t how, ncclComm_t communicator,
                           cudaStream_t stream) {
  RELOADLAB_FORWARD(ncclAllReduce);
  const int64_t bytes = bytes_of(count, type);
  sends("all-reduce", communicator, stream, [&] { return read_and_written(from, bytes, to, bytes); });
  return forward(from, to, count, type, how, communicator, stream);
}

ncclResult_t ncclReduce(const void* from, void* to, size_t count, ncclDataType_t type, ncclRedOp_t how, int root, ncclComm_t communicator,
                        cudaStream_t stream) {
  RELOADLAB_FORWARD(ncclReduce);
  const int64_t bytes = bytes_of(count, type);
  sends("reduce", communicator, stream, [&] { return read_and_written(from, bytes, to, rank_in(communicator) == root ? bytes : 0); });
  return forward(from, to, count, type, how, root, communicator, stream);
}

ncclResult_t ncclReduceScatter(const void* from, void* to, size_t count, ncclDataType_t type, ncclRedOp_t how, ncclComm_t communicator,
                               cudaStream_t stream) {
  RELOADLAB_FORWARD(ncclReduceScatter);
  const int64_t bytes = bytes_of(count, type);
  sends("reduce-scatter", communicator, stream, [&] { return read_and_written(from, bytes * ranks_of(communicator), to, bytes); });
  return forward(from, to, count, type, how, communicator, stream);
}

ncclResult_t ncclAllGather(const void* from, void* to, size_t count, ncclDataType_t type, ncclComm_t communicator, cudaStream_t stream) {
  RELOADLAB_FORWARD(ncclAllGather);
  const int64_t bytes = bytes_of(count, type);
  sends("all-gather", communicator, stream, [&] { return read_and_written(from, bytes, to, bytes * ranks_of(communicator)); });
  return forward(from, to, count, type, communicator, stream);
}

ncclResult_t ncclSend(const void* from, size_t count, ncclDataType_t type, int peer, ncclComm_t communicator, cudaStream_t stream) {
  RELOADLAB_FORWARD(ncclSend);
  sends("send", communicator, stream, [&] { return Pieces{{from, bytes_of(count, type), false}}; });
  return forward(from, count, type, peer, communicator, stream);
}

ncclResult_t ncclRecv(void* to, size_t count, ncclDataType_t type, int peer, ncclComm_t communicator, cudaStream_t stream) {
  RELOADLAB_FORWARD(ncclRecv);
  sends("recv", communicator, stream, [&] { return Pieces{{to, bytes_of(count, type), true}}; });
  return forward(to, count, type, peer, communicator, stream);
}

}  // extern "C"
