#pragma once
// Memory on a GPU that another process holds, by handles of cudaIpc. That process is this program again (`reloadlab holder`), since a copy
// of a process that has used CUDA cannot; it is started with the first memory, and ends with this one.
#include <c10/core/Device.h>

#include <memory>

#include "sim/world/foreign_memory.h"

namespace reloadlab::sim::cuda {

Result<std::unique_ptr<ForeignMemory>> ipc_memory(c10::Device device, int64_t bytes);

}  // namespace reloadlab::sim::cuda
