#pragma once
// What this process calls of CUDA's runtime and of NCCL, whoever calls it: the program defines these functions itself (`runtime_calls.cpp`,
// `nccl_calls.cpp`), so that LibTorch's calls come to it, and hands them on. Nothing more happens while nobody listens. Handles are those
// of the runtime.
#include <cstdint>
#include <vector>

namespace reloadlab::sim::cuda {

using Handle = const void*;

// Bytes that one rank's part of a collective touches.
struct Piece {
  const void* address;
  int64_t bytes;
  bool writes;
};

// Each call is told by the thread that made it, once it went well.
class CallListener {
 public:
  virtual ~CallListener() = default;
  virtual void recorded(Handle event, Handle stream) = 0;
  virtual void waits(Handle stream, Handle event) = 0;
  virtual void came_to(Handle event) = 0;          // the host waited for it, or was told that it is done
  virtual void came_to_end_of(Handle stream) = 0;  // the same of all that the stream held
  virtual void came_to_end_of_all() = 0;
  virtual void destroyed(Handle event) = 0;
  // A kernel, copy or fill, or a call of a host function.
  virtual void issued(const char* what, Handle stream) = 0;
  virtual void begins_capture(Handle stream) = 0;
  virtual void ended_capture(Handle stream, Handle graph) = 0;  // null: it failed
  virtual void instantiated(Handle executable, Handle graph) = 0;
  virtual void launched(Handle executable, Handle stream) = 0;
  // Before it is handed on.
  virtual void sends(const char* operation, Handle communicator, const std::vector<Piece>& pieces, Handle stream) = 0;
};

// The driver's memory pools, which LibTorch uses where its allocator is cudaMallocAsync.
class PoolListener {
 public:
  virtual ~PoolListener() = default;
  virtual void taken(const void* at, int64_t bytes, Handle stream) = 0;
  virtual void gives_back(const void* at, Handle stream) = 0;  // before it is handed on
};

// Null while nobody listens.
CallListener* call_listener();

// What the program exports by the name reloadlab_listen_to_calls; null: nobody.
using ListenToCalls = void (*)(CallListener* listener);
// The same by the name reloadlab_listen_to_pools.
using ListenToPools = void (*)(PoolListener* listener);

}  // namespace reloadlab::sim::cuda

extern "C" void reloadlab_listen_to_calls(reloadlab::sim::cuda::CallListener* listener);
extern "C" void reloadlab_listen_to_pools(reloadlab::sim::cuda::PoolListener* listener);
