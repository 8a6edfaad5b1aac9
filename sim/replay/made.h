#pragma once
// What a candidate's makers give.
#include <memory>

#include "reference/base/status.h"

namespace reloadlab::sim {

// A candidate that makes none of what it says that it is has left the path: `survives` tells (Code::lost).
template <class Role>
Result<std::unique_ptr<Role>> made(Result<std::unique_ptr<Role>> result) {
  if (result.ok() && !*result) return Status(Code::lost, "what it makes of itself is null");
  if (!result.ok() && result.status().code() == Code::failed) return Status(Code::lost, "it cannot be made: " + result.status().message());
  return result;
}

}  // namespace reloadlab::sim
