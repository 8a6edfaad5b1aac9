#pragma once
// Memory on plain CPU that another process holds: files without a name, of which it passes descriptors.
#include <memory>

#include "sim/world/foreign_memory.h"

namespace reloadlab::sim {

// Of a process that is started with the first one, and ends with this one.
Result<std::unique_ptr<ForeignMemory>> shared_memory(int64_t bytes);

}  // namespace reloadlab::sim
