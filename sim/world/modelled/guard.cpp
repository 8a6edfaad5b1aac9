// Devices, streams and events as c10 asks for them.
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "sim/world/modelled/device.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {
namespace {

constexpr auto kind = c10::DeviceType::PrivateUse1;

// What a c10::Event holds: the version that was recorded last.
PointPtr* version(void* event) { return static_cast<PointPtr*>(event); }

c10::Stream as_c10(const Stream& stream) { return c10::Stream(c10::Stream::UNSAFE, modelled_device(stream.device), stream.id); }

int index_of(c10::Device device) { return device.has_index() ? device_called(device.index()) : Machine::required().device(); }

Stream& stream_of(const c10::Stream& stream) { return Machine::required().stream(device_called(stream.device_index()), stream.id()); }

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kind; }
  c10::DeviceIndex deviceCount() const noexcept override {
    return static_cast<c10::DeviceIndex>(Machine::current() ? std::min(Machine::current()->config().ranks, 127) : 0);
  }
  c10::Device getDevice() const override { return modelled_device(Machine::current() ? Machine::current()->device() : 0); }
  void setDevice(c10::Device device) const override { uncheckedSetDevice(device); }
  void uncheckedSetDevice(c10::Device device) const noexcept override {
    if (Machine::current() && device.has_index()) Machine::current()->set_device(device_called(device.index()));
  }
  c10::Device exchangeDevice(c10::Device device) const override {
    c10::Device before = getDevice();
    uncheckedSetDevice(device);
    return before;
  }

  c10::Stream getStream(c10::Device device) const override { return as_c10(stream_here(index_of(device))); }
  c10::Stream getDefaultStream(c10::Device device) const override { return as_c10(Machine::required().stream(index_of(device), 0)); }
  c10::Stream getNewStream(c10::Device device, int) const override { return as_c10(Machine::required().new_stream(index_of(device))); }
  c10::Stream getStreamFromGlobalPool(c10::Device device, bool) const override {
    return as_c10(Machine::required().pool_stream(index_of(device)));
  }
  c10::Stream exchangeStream(c10::Stream stream) const override {
    c10::Stream before = getStream(stream.device());
    Machine::required().set_current_stream(device_called(stream.device_index()), stream.id());
    return before;
  }

  void record(void** event, const c10::Stream& stream, const c10::DeviceIndex, const c10::EventFlag) const override {
    Stream& where = stream_of(stream);
    if (!*event) *event = new PointPtr;
    *version(*event) = Machine::required().record(where, where.event);
  }
  void block(void* event, const c10::Stream& stream) const override {
    if (event) Machine::required().wait(stream_of(stream), *version(event));
  }
  bool queryEvent(void* event) const override { return !event || Machine::required().host_query(*version(event)); }
  void synchronizeEvent(void* event) const override {
    if (event) Machine::required().host_wait(PointPtr(*version(event)));
  }
  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override { delete version(event); }
  double elapsedTime(void* from, void* to, const c10::DeviceIndex) const override {
    TORCH_CHECK(from && to && (*version(from))->done && (*version(to))->done, "elapsedTime: both events must be complete");
    constexpr double picoseconds_in_ms = 1e9;
    return static_cast<double>((*version(to))->time - (*version(from))->time) / picoseconds_in_ms;
  }
  bool queryStream(const c10::Stream& stream) const override {
    Stream& where = stream_of(stream);
    return Machine::required().host_query(Machine::required().record(where, "all of " + where.name()));
  }
  void synchronizeStream(const c10::Stream& stream) const override { Machine::required().synchronize(stream_of(stream)); }
  void synchronizeDevice(const c10::DeviceIndex device) const override { Machine::required().synchronize_device(device_called(device)); }
  void recordDataPtrOnStream(const c10::DataPtr& data, const c10::Stream& stream) const override {
    Machine::required().memory().record_stream(data, stream_of(stream));
  }
};

}  // namespace

void register_guard() { c10::impl::DeviceGuardImplRegistrar(kind, new Guard); }

}  // namespace reloadlab::sim::modelled
