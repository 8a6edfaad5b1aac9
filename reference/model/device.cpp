#include "reference/model/device.h"

namespace reloadlab::model {
namespace {

c10::Device& current_device() {
  thread_local c10::Device device(c10::DeviceType::CPU);
  return device;
}

DType& current_dtype() {
  thread_local DType dtype = DType::f32;
  return dtype;
}

}  // namespace

DType default_dtype() { return current_dtype(); }

DTypeScope::DTypeScope(DType dtype) : before_(current_dtype()) { current_dtype() = dtype; }
DTypeScope::~DTypeScope() { current_dtype() = before_; }

c10::Device default_device() { return current_device(); }

DeviceScope::DeviceScope(c10::Device device) : before_(current_device()) { current_device() = device; }
DeviceScope::~DeviceScope() { current_device() = before_; }

}  // namespace reloadlab::model
