// A few functions of CUDA's runtime and of NCCL, without a GPU: they count, and do as they are told by their handles.
#include <cuda_runtime_api.h>
#include <nccl.h>

extern "C" {

int fake_calls = 0;

cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return ++fake_calls, cudaSuccess; }
// An event of no handle is not done.
cudaError_t cudaEventQuery(cudaEvent_t event) { return ++fake_calls, event ? cudaSuccess : cudaErrorNotReady; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t event, unsigned) {
  return ++fake_calls, event ? cudaSuccess : cudaErrorInvalidResourceHandle;
}
cudaError_t cudaMemcpyAsync(void*, const void*, size_t, cudaMemcpyKind, cudaStream_t) { return ++fake_calls, cudaSuccess; }
cudaError_t __cudaLaunchKernel(cudaKernel_t, dim3 grid, dim3 block, void**, size_t shared, cudaStream_t) {
  const bool whole = grid.z == 3 && block.x == 4 && shared == 7;  // as the test says them
  return ++fake_calls, whole ? cudaSuccess : cudaErrorInvalidValue;
}
// Of no stream there is no capture that could end well.
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = reinterpret_cast<cudaGraph_t>(0x77);
  return ++fake_calls, stream ? cudaSuccess : cudaErrorStreamCaptureUnjoined;
}

ncclResult_t ncclCommUserRank(ncclComm_t, int* rank) { return *rank = 1, ncclSuccess; }
ncclResult_t ncclBroadcast(const void*, void*, size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t) { return ++fake_calls, ncclSuccess; }

}  // extern "C"
