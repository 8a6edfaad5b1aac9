#include "sim/world/cuda/cuda_devices.h"

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/cuda/Sleep.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>

#include <utility>

#include "sim/world/cuda/ledger.h"
#include "sim/world/order/seen_races.h"

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

CudaDevices::CudaDevices(const WorldRequest& request, c10::Device device, AccountPtr account)
    : seat_(*request.seat),
      device_(device),
      account_(std::move(account)),
      communicators_(Communicators::of(seat_)),
      observer_(device.index(), [this](Handle communicator) { return communicators_.name_of(communicator); }),
      stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())) {
  if (request.delays) delays_.emplace(*request.delays, seat_.rank);
}

Devices::Ended CudaDevices::run(const std::function<void(int)>& body, bool open) {
  const c10::cuda::CUDAStreamGuard stream(stream_);
  Patience patience(seat_.patience, [this] { give_up(); });
  patience_ = &patience;
  const std::exception_ptr failure = watched(body, open);
  patience_ = nullptr;
  const std::lock_guard lock(mutex_);
  if (!gave_up_ && failure) std::rethrow_exception(failure);
  if (!gave_up_) return {};
  return {.why = "deadlock: what a rank waits for never comes",
          .waits = {fmt::format("rank {}: waits behind {}", seat_.rank, gave_up_->text)},
          .in_step = gave_up_->step};
}

std::exception_ptr CudaDevices::watched(const std::function<void(int)>& body, bool open) {
  const Observer::Watching watching(observer_);
  observer_.delay(open ? delays_ : std::nullopt);
  charge(account_, &observer_);
  std::exception_ptr failure;
  try {
    body(seat_.rank);
    c10::cuda::device_synchronize();
  } catch (...) {
    failure = std::current_exception();
  }
  charge(nullptr);
  return failure;
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
  observer_.order().label(about);
  const std::lock_guard lock(mutex_);
  about_ = std::move(about);
}

std::vector<SeenRace> CudaDevices::races() const {
  return seen_races(
      observer_.order().races(), [this](ActorId) { return seat_.rank; },
      [this](ActorId actor) { return observer_.order().name_of(actor); });
}

void CudaDevices::spend(int64_t picoseconds) {
  const Observer::Own calls;
  at::cuda::sleep(static_cast<int64_t>(static_cast<double>(picoseconds) * cycles_of_a_picosecond));
}

}  // namespace reloadlab::sim::cuda
