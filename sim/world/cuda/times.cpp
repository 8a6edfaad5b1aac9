#include "sim/world/cuda/times.h"

#include <ATen/cuda/Sleep.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

namespace reloadlab::sim::cuda {
namespace {

constexpr int64_t trial_cycles = 4'000'000;
constexpr double ps_of_a_ms = 1e9;

}  // namespace

// Of two sleeps the second counts: by then the clock has risen.
Times::Times() {
  for (int again = 0; again < 2; ++again) {
    mark();
    at::cuda::sleep(trial_cycles);
  }
  const int64_t end = mark();
  c10::cuda::device_synchronize();
  cycles_of_a_picosecond_ = static_cast<double>(trial_cycles) / static_cast<double>(of(end) - of(end - 1));
}

Times::~Times() {
  for (cudaEvent_t event : marks_) cudaEventDestroy(event);
}

int64_t Times::mark() {
  cudaEvent_t event = nullptr;
  C10_CUDA_CHECK(cudaEventCreate(&event));
  marks_.push_back(event);
  C10_CUDA_CHECK(cudaEventRecord(event, c10::cuda::getCurrentCUDAStream()));
  return static_cast<int64_t>(marks_.size()) - 1;
}

int64_t Times::of(int64_t mark) const {
  float taken = 0;
  const cudaError_t known = cudaEventElapsedTime(&taken, marks_.front(), marks_.at(static_cast<size_t>(mark)));
  if (known != cudaSuccess) (void)cudaGetLastError();  // nobody else's
  return known == cudaSuccess ? static_cast<int64_t>(static_cast<double>(taken) * ps_of_a_ms) : -1;
}

}  // namespace reloadlab::sim::cuda
