#pragma once
// Names of operators and their arguments, for headers that hand them on: as <ATen/core/dispatch/Dispatcher.h> has them, which takes a file
// seconds to read, and is included where an operator is looked at.
#include <vector>

namespace c10 {
class OperatorHandle;
struct IValue;
}  // namespace c10
namespace torch::jit {
using Stack = std::vector<c10::IValue>;
}
