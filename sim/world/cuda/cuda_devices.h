#pragma once
// The GPU of a process that is one rank, and its communicators. What orders accesses is seen by an Observer.
#include <c10/cuda/CUDAStream.h>
#include <pthread.h>

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sim/world/account.h"
#include "sim/world/cuda/communicators.h"
#include "sim/world/cuda/observer.h"
#include "sim/world/cuda/patience.h"
#include "sim/world/cuda/times.h"
#include "sim/world/world.h"

namespace reloadlab::sim::cuda {

class CudaDevices final : public Devices {
 public:
  // Throws c10::Error. The account is charged with what the rank allocates.
  CudaDevices(const WorldRequest& request, c10::Device device, AccountPtr account);

  Ended run(const std::function<void(int rank)>& body, bool open) override;
  bool gave_up() const override;
  void apart(const std::function<void()>& doings) override { doings(); }
  c10::intrusive_ptr<c10d::ProcessGroup> group(const std::string& name, const std::vector<int64_t>& ranks) override;
  c10::intrusive_ptr<c10d::Store> store(const std::string& name) override;
  at::Tensor read(const at::Tensor& tensor) override { return tensor.clone(); }
  at::Tensor bytes_now(const at::Tensor& tensor) const override;
  std::vector<SeenRace> races() const override;
  std::string unseen() const override { return observer_.unseen(); }
  std::vector<DeviceStep> timeline() const override { return {}; }
  void label(About about) override;
  void spend(int64_t picoseconds) override;
  // What clocks of real devices say differs from run to run: it is taken where somebody asked for it, and no law does.
  int64_t mark() override;
  int64_t time_of(int64_t mark) const override;
  bool takes_times() const override { return times_.has_value(); }

 private:
  std::string host_stack() const;
  void give_up();
  [[noreturn]] void end();
  // The body's work to its end, seen; what it threw.
  std::exception_ptr watched(const std::function<void(int rank)>& body, bool open);
  Seat seat_;
  c10::Device device_;
  AccountPtr account_;
  Communicators& communicators_;
  Observer observer_;
  std::optional<Delays> delays_;
  c10::cuda::CUDAStream stream_;  // never the default one, which cannot be captured
  std::optional<Times> times_;
  Patience* patience_ = nullptr;  // while ranks run
  pthread_t host_{};              // that runs the rank
  mutable std::mutex mutex_;
  About about_;                   // what was said last
  std::optional<About> gave_up_;  // what was about then
};

}  // namespace reloadlab::sim::cuda
