#include "bench/silent_device.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

namespace reloadlab::bench {
namespace {

constexpr auto kind = c10::DeviceType::PrivateUse1;

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kind; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  c10::Device getDevice() const override { return {kind, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Device exchangeDevice(c10::Device) const override { return {kind, 0}; }
  c10::Stream getStream(c10::Device) const override { return current_; }
  c10::Stream exchangeStream(c10::Stream stream) const override { return std::exchange(current_, stream); }
  void record(void** event, const c10::Stream& stream, const c10::DeviceIndex, const c10::EventFlag) const override {
    if (!*event) *event = new c10::StreamId;
    *static_cast<c10::StreamId*>(*event) = stream.id();
  }
  void block(void*, const c10::Stream&) const override {}
  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override { delete static_cast<c10::StreamId*>(event); }

 private:
  mutable c10::Stream current_{c10::Stream::UNSAFE, c10::Device(kind, 0), 0};
};

struct Silence final : c10d::Work {
  bool isCompleted() override { return true; }
  bool wait(std::chrono::milliseconds) override { return true; }
};

class SilentBackend final : public c10d::Backend {
 public:
  using Backend::Backend;
  const std::string getBackendName() const override { return "silent"; }
  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>&, const c10d::BroadcastOptions&) override { return work_; }

 private:
  c10::intrusive_ptr<c10d::Work> work_ = c10::make_intrusive<Silence>();
};

}  // namespace

c10::Device silent_device() {
  static const c10::impl::DeviceGuardImplRegistrar registered(kind, new Guard);
  return {kind, 0};
}

c10::intrusive_ptr<c10d::ProcessGroup> silent_group(int ranks) {
  auto group = c10::make_intrusive<c10d::ProcessGroup>(c10::make_intrusive<c10d::HashStore>(), 0, ranks);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::CUSTOM, c10::make_intrusive<SilentBackend>(0, ranks));
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::CUSTOM);
  return group;
}

}  // namespace reloadlab::bench
