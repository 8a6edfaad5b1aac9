#pragma once
// The current default device of the calling thread: where constructors and post-load steps make tensors, and where engines
// materialize placeholders. CPU unless a scope says otherwise.
#include <c10/core/Device.h>

namespace reloadlab::model {

c10::Device default_device();

class DeviceScope {
 public:
  explicit DeviceScope(c10::Device device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  c10::Device before_;
};

}  // namespace reloadlab::model
