// Functions of CUDA's runtime, as the program defines them: the real one, then whoever listens.
#include <cuda_runtime_api.h>

#include <atomic>

#include "sim/world/cuda/calls.h"
#include "sim/world/cuda/forward.h"

using reloadlab::sim::cuda::call_listener;
using reloadlab::sim::cuda::CallListener;
using reloadlab::sim::cuda::PoolListener;

namespace {

std::atomic<CallListener*> heard_by = nullptr;
std::atomic<PoolListener*> pools_heard_by = nullptr;

template <class Tell>
cudaError_t told(cudaError_t outcome, Tell tell) {
  if (outcome == cudaSuccess)
    if (CallListener* const listener = call_listener()) tell(*listener);
  return outcome;
}

cudaError_t issued(cudaError_t outcome, const char* what, cudaStream_t stream) {
  return told(outcome, [&](CallListener& listener) { listener.issued(what, stream); });
}

}  // namespace

namespace reloadlab::sim::cuda {

CallListener* call_listener() { return heard_by.load(std::memory_order_acquire); }

}  // namespace reloadlab::sim::cuda

extern "C" {

void reloadlab_listen_to_calls(CallListener* listener) { heard_by.store(listener, std::memory_order_release); }

void reloadlab_listen_to_pools(PoolListener* listener) { pools_heard_by.store(listener, std::memory_order_release); }

// Memory pools.

cudaError_t cudaMallocAsync(void** at, size_t bytes, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaMallocAsync);
  const cudaError_t outcome = forward(at, bytes, stream);
  PoolListener* const listener = pools_heard_by.load(std::memory_order_acquire);
  if (outcome == cudaSuccess && listener) listener->taken(*at, static_cast<int64_t>(bytes), stream);
  return outcome;
}

cudaError_t cudaFreeAsync(void* at, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaFreeAsync);
  if (PoolListener* const listener = pools_heard_by.load(std::memory_order_acquire)) listener->gives_back(at, stream);
  return forward(at, stream);
}

// The headers hide it: what `kernel<<<…>>>` calls since CUDA 13.
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream);

// Events.

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaEventRecord);
  return told(forward(event, stream), [&](CallListener& listener) { listener.recorded(event, stream); });
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
  RELOADLAB_FORWARD(cudaEventRecordWithFlags);
  return told(forward(event, stream, flags), [&](CallListener& listener) { listener.recorded(event, stream); });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  RELOADLAB_FORWARD(cudaEventQuery);
  return told(forward(event), [&](CallListener& listener) { listener.came_to(event); });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  RELOADLAB_FORWARD(cudaEventSynchronize);
  return told(forward(event), [&](CallListener& listener) { listener.came_to(event); });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  RELOADLAB_FORWARD(cudaEventDestroy);
  return told(forward(event), [&](CallListener& listener) { listener.destroyed(event); });
}

// Streams and the device.

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  RELOADLAB_FORWARD(cudaStreamWaitEvent);
  return told(forward(stream, event, flags), [&](CallListener& listener) { listener.waits(stream, event); });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaStreamQuery);
  return told(forward(stream), [&](CallListener& listener) { listener.came_to_end_of(stream); });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaStreamSynchronize);
  return told(forward(stream), [&](CallListener& listener) { listener.came_to_end_of(stream); });
}

cudaError_t cudaDeviceSynchronize() {
  RELOADLAB_FORWARD(cudaDeviceSynchronize);
  return told(forward(), [](CallListener& listener) { listener.came_to_end_of_all(); });
}

// What touches bytes.

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream) {
  RELOADLAB_FORWARD(__cudaLaunchKernel);
  return issued(forward(kernel, grid, block, arguments, shared, stream), "a kernel", stream);
}

cudaError_t cudaLaunchKernel(const void* kernel, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaLaunchKernel);
  return issued(forward(kernel, grid, block, arguments, shared, stream), "a kernel", stream);
}

cudaError_t cudaLaunchCooperativeKernel(const void* kernel, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaLaunchCooperativeKernel);
  return issued(forward(kernel, grid, block, arguments, shared, stream), "a kernel", stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel, void** arguments) {
  RELOADLAB_FORWARD(cudaLaunchKernelExC);
  return issued(forward(config, kernel, arguments), "a kernel", config->stream);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  RELOADLAB_FORWARD(cudaLaunchHostFunc);
  return issued(forward(stream, function, data), "a host function", stream);
}

cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback, void* data, unsigned flags) {
  RELOADLAB_FORWARD(cudaStreamAddCallback);
  return issued(forward(stream, callback, data, flags), "a host function", stream);
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  RELOADLAB_FORWARD(cudaMemcpy);
  return issued(forward(to, from, bytes, kind), "a copy", nullptr);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaMemcpyAsync);
  return issued(forward(to, from, bytes, kind, stream), "a copy", stream);
}

cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device, size_t bytes, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaMemcpyPeerAsync);
  return issued(forward(to, to_device, from, from_device, bytes, stream), "a copy", stream);
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaMemcpy2DAsync);
  return issued(forward(to, to_pitch, from, from_pitch, width, height, kind, stream), "a copy", stream);
}

cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, size_t bytes, size_t offset, cudaMemcpyKind kind) {
  RELOADLAB_FORWARD(cudaMemcpyToSymbol);
  return issued(forward(symbol, from, bytes, offset, kind), "a copy", nullptr);
}

cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  RELOADLAB_FORWARD(cudaMemset);
  return issued(forward(to, value, bytes), "a fill", nullptr);
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaMemsetAsync);
  return issued(forward(to, value, bytes, stream), "a fill", stream);
}

cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaMemset2DAsync);
  return issued(forward(to, pitch, value, width, height, stream), "a fill", stream);
}

// Graphs.

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  RELOADLAB_FORWARD(cudaStreamBeginCapture);
  return told(forward(stream, mode), [&](CallListener& listener) { listener.begins_capture(stream); });
}

// However it ends, the stream captures no more.
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  RELOADLAB_FORWARD(cudaStreamEndCapture);
  const cudaError_t outcome = forward(stream, graph);
  if (CallListener* const listener = call_listener()) listener->ended_capture(stream, outcome == cudaSuccess ? *graph : nullptr);
  return outcome;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) {
  RELOADLAB_FORWARD(cudaGraphInstantiate);
  return told(forward(executable, graph, flags), [&](CallListener& listener) { listener.instantiated(*executable, graph); });
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) {
  RELOADLAB_FORWARD(cudaGraphInstantiateWithFlags);
  return told(forward(executable, graph, flags), [&](CallListener& listener) { listener.instantiated(*executable, graph); });
}

cudaError_t cudaGraphInstantiateWithParams(cudaGraphExec_t* executable, cudaGraph_t graph, cudaGraphInstantiateParams* parameters) {
  RELOADLAB_FORWARD(cudaGraphInstantiateWithParams);
  return told(forward(executable, graph, parameters), [&](CallListener& listener) { listener.instantiated(*executable, graph); });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  RELOADLAB_FORWARD(cudaGraphLaunch);
  return told(forward(executable, stream), [&](CallListener& listener) { listener.launched(executable, stream); });
}

}  // extern "C"
