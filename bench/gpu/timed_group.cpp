#define USE_C10D_NCCL
#include "bench/gpu/timed_group.h"

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

namespace reloadlab::bench {
namespace {

// c10d tells how long a collective took, not when; its events are for those who derive.
struct EventsOfWork : c10d::ProcessGroupNCCL::WorkNCCL {
  static Interval of(const c10d::Work& work, cudaEvent_t begin) {
    const auto& nccl = static_cast<const WorkNCCL&>(work);
    const auto behind = [&](const std::shared_ptr<at::cuda::CUDAEvent>& event) { return milliseconds_between(begin, event->event()); };
    return {behind(nccl.*(&EventsOfWork::ncclStartEvent_)), behind(nccl.*(&EventsOfWork::ncclEndEvent_))};
  }
};

}  // namespace

class TimedGroup::Switch final : public c10d::Backend {
 public:
  Switch(c10::intrusive_ptr<c10d::Backend> plain, c10::intrusive_ptr<c10d::Backend> timed)
      : Backend(plain->getRank(), plain->getSize()), plain_(std::move(plain)), timed_(std::move(timed)) {
    timed_->enableCollectivesTiming();
  }
  const std::string getBackendName() const override { return plain_->getBackendName(); }
  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& tensors, const c10d::BroadcastOptions& options) override {
    if (!taken) return plain_->broadcast(tensors, options);
    auto work = timed_->broadcast(tensors, options);
    if (options.asyncOp) works.push_back(work);
    return work;
  }

  bool taken = false;
  std::vector<c10::intrusive_ptr<c10d::Work>> works;

 private:
  c10::intrusive_ptr<c10d::Backend> plain_, timed_;
};

TimedGroup::TimedGroup(const c10::intrusive_ptr<c10d::Store>& store, const sim::Seat& seat, const Sharing& sharing) {
  const auto backend = [&](const char* name) {
    auto options = c10d::ProcessGroupNCCL::Options::create(sharing.high_priority);
    options->config = sharing.config();
    auto made = c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>(name, store), seat.rank, seat.ranks,
                                                            std::move(options));
    made->eagerConnectSingleDevice(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(seat.rank)));
    return made;
  };
  auto plain = backend("plain");
  auto both = c10::make_intrusive<Switch>(plain, backend("timed"));
  switch_ = both.get();
  group_ = c10::make_intrusive<c10d::ProcessGroup>(c10::make_intrusive<c10d::HashStore>(), seat.rank, seat.ranks);
  group_->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::CUSTOM, std::move(both));
  group_->setDefaultBackend(c10d::ProcessGroup::BackendType::CUSTOM);
}

void TimedGroup::take_times(bool taken) { switch_->taken = taken; }

std::vector<Interval> TimedGroup::times(cudaEvent_t begin) {
  std::vector<Interval> times;
  for (const auto& work : std::exchange(switch_->works, {})) times.push_back(EventsOfWork::of(*work, begin));
  return times;
}

}  // namespace reloadlab::bench
