#include "sim/world/cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>

#include <optional>

#include "sim/world/account.h"

namespace reloadlab::sim::cuda {
namespace {

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(const GraphOptions& options)
      : pool_(options.shares_pool_with ? static_cast<const CudaGraph*>(options.shares_pool_with)->pool_ : at::cuda::graph_pool_handle()),
        mode_(options.global_mode ? cudaStreamCaptureModeGlobal : cudaStreamCaptureModeThreadLocal) {}

  // The default stream cannot be captured: another one takes its place, which begins where everything before has come to its end.
  void capture_begin() override {
    const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream();
    if (current == c10::cuda::getDefaultCUDAStream()) {
      c10::cuda::device_synchronize();
      instead_.emplace(c10::cuda::getStreamFromPool());
    }
    const AccountScope nobody(nullptr);  // LibTorch's state of random numbers
    graph_.capture_begin(pool_, mode_);
  }

  void capture_end() override {
    try {
      graph_.capture_end();
    } catch (...) {
      instead_.reset();
      throw;
    }
    instead_.reset();
  }

  void replay() override { graph_.replay(); }

 private:
  const at::cuda::MempoolId_t pool_;
  const cudaStreamCaptureMode mode_;
  std::optional<c10::cuda::CUDAStreamGuard> instead_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<DeviceGraph> make_graph(const GraphOptions& options) { return std::make_unique<CudaGraph>(options); }

}  // namespace reloadlab::sim::cuda
