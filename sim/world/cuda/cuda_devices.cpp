#include "sim/world/cuda/cuda_devices.h"

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/cuda/Sleep.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>

#include <utility>

#include "sim/world/cuda/ledger.h"

namespace reloadlab::sim::cuda {
namespace {

constexpr double cycles_of_a_picosecond = 1.755e-3;  // H100 SXM at its boost clock, 1,755 MHz

class CudaGraph final : public DeviceGraph {
 public:
  // What other threads of the process do meanwhile is none of this capture's business.
  void capture_begin() override { graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal); }
  void capture_end() override { graph_.capture_end(); }
  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

}  // namespace

CudaDevices::CudaDevices(const Seat& seat, c10::Device device, AccountPtr account, bool timed)
    : seat_(seat),
      device_(device),
      account_(std::move(account)),
      communicators_(Communicators::of(seat)),
      stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())) {
  if (timed) times_.emplace();
}

Devices::Ended CudaDevices::run(const std::function<void(int)>& body, bool) {
  const c10::cuda::CUDAStreamGuard stream(stream_);
  Patience patience(seat_.patience, [this] { give_up(); });
  patience_ = &patience;
  charge(account_);
  std::exception_ptr failure;
  try {
    body(seat_.rank);
    c10::cuda::device_synchronize();
  } catch (...) {
    failure = std::current_exception();
  }
  charge(nullptr);
  patience_ = nullptr;
  const std::lock_guard lock(mutex_);
  if (!gave_up_ && failure) std::rethrow_exception(failure);
  if (!gave_up_) return {};
  return {.why = "deadlock: what a rank waits for never comes",
          .waits = {fmt::format("rank {}: waits behind {}", seat_.rank, gave_up_->text)},
          .in_step = gave_up_->step};
}

void CudaDevices::give_up() {
  {
    const std::lock_guard lock(mutex_);
    gave_up_ = about_;
  }
  communicators_.abort();
}

c10::intrusive_ptr<c10d::ProcessGroup> CudaDevices::group(const std::string& name, const std::vector<int64_t>& ranks) {
  if (patience_) patience_->rest(true);  // the others may still be loading libraries
  auto group = communicators_.group(name, ranks);
  if (patience_) patience_->rest(false);
  return group;
}

c10::intrusive_ptr<c10d::Store> CudaDevices::store(const std::string& name) { return communicators_.store(name, seat_.round); }

std::unique_ptr<DeviceGraph> CudaDevices::make_graph() { return std::make_unique<CudaGraph>(); }

at::Tensor CudaDevices::bytes_now(const at::Tensor& tensor) const {
  c10::cuda::device_synchronize();
  return tensor.cpu();
}

void CudaDevices::label(About about) {
  if (patience_) patience_->goes_on();
  const std::lock_guard lock(mutex_);
  about_ = std::move(about);
}

void CudaDevices::spend(int64_t picoseconds) {
  const double cycles = times_ ? times_->cycles_of_a_picosecond() : cycles_of_a_picosecond;
  at::cuda::sleep(static_cast<int64_t>(static_cast<double>(picoseconds) * cycles));
}

int64_t CudaDevices::mark() { return times_ ? times_->mark() : 0; }

int64_t CudaDevices::time_of(int64_t mark) const { return times_ ? times_->of(mark) : -1; }

}  // namespace reloadlab::sim::cuda
