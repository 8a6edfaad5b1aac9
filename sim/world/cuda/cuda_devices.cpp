#include "sim/world/cuda/cuda_devices.h"

#include <ATen/cuda/Sleep.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <future>
#include <thread>
#include <utility>

#include "sim/world/cuda/ledger.h"
#include "sim/world/cuda/stack.h"
#include "sim/world/order/seen_races.h"
#include "sim/world/watchdog.h"

namespace reloadlab::sim::cuda {
namespace {

constexpr double cycles_of_a_picosecond = 1.755e-3;  // H100 SXM at its boost clock, 1,755 MHz

constexpr size_t frames_told = 12;

// Of a call that may block for ever; what it throws is no answer.
std::optional<std::string> within_a_second(std::string (*ask)()) {
  const auto said = std::make_shared<std::promise<std::string>>();
  std::future<std::string> answer = said->get_future();
  std::thread([said, ask] {
    try {
      said->set_value(ask());
    } catch (const std::exception& error) {
      said->set_value(error.what());
    }
  }).detach();
  if (answer.wait_for(std::chrono::seconds(1)) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

}  // namespace

CudaDevices::CudaDevices(const WorldRequest& request, c10::Device device, AccountPtr account)
    : seat_(*request.seat),
      device_(device),
      account_(std::move(account)),
      communicators_(Communicators::of(seat_)),
      observer_(device.index(), [this](Handle communicator) { return communicators_.name_of(communicator); }),
      stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())) {
  if (request.delays) delays_.emplace(*request.delays, seat_.rank);
  if (request.timed) times_.emplace();
}

Devices::Ended CudaDevices::run(const std::function<void(int)>& body, bool open) {
  const c10::cuda::CUDAStreamGuard stream(stream_);
  host_ = ::pthread_self();
  Patience patience(
      seat_.patience, [this] { give_up(); }, [this] { end(); });
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

bool CudaDevices::gave_up() const {
  const std::lock_guard lock(mutex_);
  return gave_up_.has_value();
}

std::exception_ptr CudaDevices::watched(const std::function<void(int)>& body, bool open) {
  const Observer::Watching watching(observer_);
  observer_.delay(open ? delays_ : std::nullopt);
  const Charged charged(account_, &observer_);
  std::exception_ptr failure;
  try {
    body(seat_.rank);
    c10::cuda::device_synchronize();
  } catch (...) {
    failure = std::current_exception();
  }
  return failure;
}

std::string CudaDevices::host_stack() const {
  std::vector<std::string> stack = stack_of(host_);
  if (stack.size() > frames_told) stack.resize(frames_told);
  return stack.empty() ? "its host does not answer" : fmt::format("its host is in {}", fmt::join(stack, " < "));
}

// First everything is said, since what comes then may end the process, or block.
void CudaDevices::give_up() {
  {
    const std::lock_guard lock(mutex_);
    gave_up_ = about_;
  }
  fmt::print(stderr, "rank {}: nothing went on for {} s, at {}; {}\n", seat_.rank, seat_.patience, gave_up_->text, host_stack());
  const std::optional<std::string> outstanding = within_a_second(&Communicators::outstanding);
  fmt::print(stderr, "rank {}: NCCL's trace: {}\n", seat_.rank, outstanding ? *outstanding : "none within a second");
  std::fflush(stderr);
  std::thread([&communicators = communicators_] { communicators.abort(); }).detach();
}

// The host did not come back though nothing of its communicators holds it any more.
void CudaDevices::end() {
  const std::string text = fmt::format("does not come back from {}; {}", gave_up_->text, host_stack());
  if (watchdog().before_end) watchdog().before_end(text);
  fmt::print(stderr, "rank {}: {}\n", seat_.rank, text);
  std::fflush(stderr);
  ::kill(::getpgrp() == ::getpid() ? 0 : ::getpid(), SIGKILL);
  for (;;) ::pause();
}

c10::intrusive_ptr<c10d::ProcessGroup> CudaDevices::group(const std::string& name, const std::vector<int64_t>& ranks) {
  if (patience_) patience_->rest(true);  // the others may still be loading libraries
  auto group = communicators_.group(name, ranks);
  if (patience_) patience_->rest(false);
  return group;
}

c10::intrusive_ptr<c10d::Store> CudaDevices::store(const std::string& name) { return communicators_.store(name, seat_.round); }

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
  const double cycles = times_ ? times_->cycles_of_a_picosecond() : cycles_of_a_picosecond;
  at::cuda::sleep(static_cast<int64_t>(static_cast<double>(picoseconds) * cycles));
}

int64_t CudaDevices::mark() { return times_ ? times_->mark() : 0; }

int64_t CudaDevices::time_of(int64_t mark) const { return times_ ? times_->of(mark) : -1; }

}  // namespace reloadlab::sim::cuda
