// What modelled devices have as rates, measured on the GPUs of this process. The best of several turns: on idle devices nothing else is to
// be seen. Broadcasts are NCCL's, from one GPU to all, each told by this process.
#include <ATen/Functions.h>
#include <ATen/cuda/Sleep.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <nccl.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "sim/world/module.h"

namespace reloadlab::sim::cuda {
namespace {

using c10::cuda::CUDAStream;
using c10::cuda::getCurrentCUDAStream;
using modelled::Picoseconds;

constexpr int turns = 5;
constexpr int64_t large = int64_t{1} << 30, weight = int64_t{224} << 20, small = 4096, side = 8192, many = 200, layers = 16;
constexpr double most_slowed = 10, picoseconds_of_a_ms = 1e9;

void must(ncclResult_t result) { TORCH_CHECK(result == ncclSuccess, "NCCL: ", ncclGetErrorString(result)); }

at::TensorOptions on(int gpu) { return at::TensorOptions().device(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(gpu))); }

void order(const CUDAStream& first, const CUDAStream& then) {
  cudaEvent_t event = nullptr;
  C10_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  C10_CUDA_CHECK(cudaEventRecord(event, first));
  C10_CUDA_CHECK(cudaStreamWaitEvent(then, event));
  C10_CUDA_CHECK(cudaEventDestroy(event));
}

// Two events on a stream of GPU 0, and the milliseconds between them.
class TimedSpan {
 public:
  TimedSpan() {
    C10_CUDA_CHECK(cudaEventCreate(&begin_));
    C10_CUDA_CHECK(cudaEventCreate(&end_));
  }
  ~TimedSpan() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  TimedSpan(const TimedSpan&) = delete;
  TimedSpan& operator=(const TimedSpan&) = delete;
  void over(const CUDAStream& stream, const std::function<void()>& work) const {
    C10_CUDA_CHECK(cudaEventRecord(begin_, stream));
    work();
    C10_CUDA_CHECK(cudaEventRecord(end_, stream));
  }
  double milliseconds() const {  // waits for the work
    C10_CUDA_CHECK(cudaEventSynchronize(end_));
    float taken = 0;
    C10_CUDA_CHECK(cudaEventElapsedTime(&taken, begin_, end_));
    return taken;
  }

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

// The best of the turns but for the first one.
double best(const std::function<double()>& turn) {
  turn();
  double best = std::numeric_limits<double>::infinity();
  for (int again = 0; again < turns; ++again) best = std::min(best, turn());
  return best;
}

// Milliseconds that the work takes on a stream of GPU 0.
double best(const CUDAStream& stream, const std::function<void()>& work) {
  const TimedSpan span;
  return best([&] {
    span.over(stream, work);
    return span.milliseconds();
  });
}

int64_t per_second(double amount, double ms) { return static_cast<int64_t>(amount / ms * 1e3); }
Picoseconds picoseconds(double ms) { return static_cast<Picoseconds>(ms * picoseconds_of_a_ms); }

struct Products {
  at::Tensor left = at::randn({side, side}, on(0).dtype(at::kBFloat16)), right = left.clone(), out = at::empty_like(left);
  void operator()() { at::mm_out(out, left, right); }
};

void measure_one_gpu(modelled::Rates& rates) {
  const CUDAStream stream = getCurrentCUDAStream();
  at::Tensor from = at::zeros({large}, on(0).dtype(at::kByte)), to = at::empty_like(from), one = at::zeros({1}, on(0));
  const at::Tensor host = at::zeros({large}, at::kByte).pin_memory();
  Products product;
  rates.memory_bytes_per_s = per_second(2 * static_cast<double>(large), best(stream, [&] { to.copy_(from, true); }));
  rates.host_copy_bytes_per_s = per_second(static_cast<double>(large), best(stream, [&] { to.copy_(host, true); }));
  rates.flop_per_s = per_second(2.0 * side * side * side, best(stream, [&] { product(); }));
  const double kernels = best(stream, [&] {
    for (int64_t i = 0; i < many; ++i) one.add_(1);
  });
  rates.kernel_start = picoseconds(kernels / static_cast<double>(many));
}

// The ends of one communicator, and a stream for each that broadcasts have for themselves.
class Links {
 public:
  explicit Links(int gpus) : ends_(static_cast<size_t>(gpus)) {
    must(ncclCommInitAll(ends_.data(), gpus, nullptr));
    for (int gpu = 0; gpu < gpus; ++gpu) {
      streams_.push_back(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, static_cast<c10::DeviceIndex>(gpu)));
      memory_.push_back(at::zeros({weight}, on(gpu).dtype(at::kByte)));
    }
    synchronize();
  }
  ~Links() {
    for (ncclComm_t end : ends_) ncclCommDestroy(end);
  }
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;
  const CUDAStream& stream() const { return streams_.front(); }

  void broadcast(int64_t bytes) {
    must(ncclGroupStart());
    for (size_t gpu = 0; gpu < ends_.size(); ++gpu) {
      void* memory = memory_[gpu].data_ptr();
      must(ncclBroadcast(memory, memory, static_cast<size_t>(bytes), ncclInt8, 0, ends_[gpu], streams_[gpu]));
    }
    must(ncclGroupEnd());
  }
  void synchronize() const {
    for (const CUDAStream& stream : streams_) stream.synchronize();
  }

 private:
  std::vector<ncclComm_t> ends_;
  std::vector<CUDAStream> streams_;
  std::vector<at::Tensor> memory_;
};

// Products, before each of which a broadcast is released that goes on beside it.
double products(Links* links) {
  Products product;
  const CUDAStream stream = getCurrentCUDAStream();
  return best(stream, [&] {
    for (int64_t layer = 0; layer < layers; ++layer) {
      if (links) order(stream, links->stream());
      if (links) links->broadcast(weight);
      product();
    }
  });
}

// Of products before each of which the GPU rests for so long.
double rested_products(double rest_ms) {
  Products product;
  const CUDAStream stream = getCurrentCUDAStream();
  int kilohertz = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, 0));
  const std::vector<TimedSpan> spans(layers);
  return best([&] {
    for (const TimedSpan& span : spans) {
      at::cuda::sleep(std::llround(rest_ms * kilohertz));
      span.over(stream, [&] { product(); });
    }
    return std::accumulate(spans.begin(), spans.end(), 0.0, [](double sum, const TimedSpan& span) { return sum + span.milliseconds(); });
  });
}

void measure_rests(modelled::Rates& rates) {
  const double in_a_row = products(nullptr), rested = rested_products(in_a_row / static_cast<double>(layers));
  rates.rested_percent = std::min<int64_t>(100, std::llround(100 * rested / in_a_row));
}

void measure_links(modelled::Rates& rates, int gpus) {
  Links links(gpus);
  const auto lone = [&](int64_t bytes) {
    return best(links.stream(),
                [&] {
                  for (int64_t i = 0; i < layers; ++i) links.broadcast(bytes);
                }) /
           static_cast<double>(layers);
  };
  const double little = lone(small), whole = lone(weight);
  rates.collective_start = picoseconds(little);
  rates.link_bytes_per_s = per_second(static_cast<double>(weight), whole - little);
  const double added = products(&links) - products(nullptr), beside = whole * static_cast<double>(layers);
  rates.beside_percent = static_cast<int64_t>(100 * beside / std::max(beside - std::max(added, 0.0), beside / most_slowed));
  links.synchronize();
}

}  // namespace
}  // namespace reloadlab::sim::cuda

extern "C" int reloadlab_calibrate(reloadlab::sim::modelled::Rates& rates) {
  namespace cuda = reloadlab::sim::cuda;
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  const int gpus = c10::cuda::device_count();
  const c10::cuda::CUDAGuard device(0);
  const c10::cuda::CUDAStreamGuard stream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, 0));
  cuda::measure_one_gpu(rates);
  cuda::measure_rests(rates);
  if (gpus > 1) cuda::measure_links(rates, gpus);
  return gpus;
}
