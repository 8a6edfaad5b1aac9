#include "reference/model/device.h"

namespace reloadlab::model {
namespace {

c10::Device& current() {
  thread_local c10::Device device(c10::DeviceType::CPU);
  return device;
}

}  // namespace

c10::Device default_device() { return current(); }

DeviceScope::DeviceScope(c10::Device device) : before_(current()) { current() = device; }
DeviceScope::~DeviceScope() { current() = before_; }

}  // namespace reloadlab::model
