#pragma once
// A device and a communicator on which nothing happens, so that what is measured is what a host does around them.
#include <c10/core/Device.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

namespace reloadlab::bench {

// One that has streams and events, which are numbers. Tensors stay on the CPU.
c10::Device silent_device();
// Rank 0 of so many. Broadcasts return a Work that is complete.
c10::intrusive_ptr<c10d::ProcessGroup> silent_group(int ranks);

}  // namespace reloadlab::bench
