#pragma once
// Settings of the calling thread that code which makes tensors reads, as engines' code reads torch's defaults. They are whatever
// surrounds a call, and need not be the same at a reload as they were at the first load.
#include <c10/core/Device.h>

#include "reference/base/scalar.h"

namespace reloadlab::model {

// Where constructors and post-load steps make tensors, and where engines materialize placeholders. CPU unless a scope says otherwise.
c10::Device default_device();
// The element type of tensors that are made without one. f32 unless a scope says otherwise.
DType default_dtype();

class DeviceScope {
 public:
  explicit DeviceScope(c10::Device device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  c10::Device before_;
};

class DTypeScope {
 public:
  explicit DTypeScope(DType dtype);
  ~DTypeScope();
  DTypeScope(const DTypeScope&) = delete;
  DTypeScope& operator=(const DTypeScope&) = delete;

 private:
  DType before_;
};

}  // namespace reloadlab::model
