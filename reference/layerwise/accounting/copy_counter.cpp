#include "reference/layerwise/accounting/copy_counter.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <stdexcept>

namespace reloadlab::layerwise {

const c10::OperatorHandle& copy_operator() {
  static const c10::OperatorHandle op = c10::Dispatcher::singleton().findSchemaOrThrow("aten::copy_", "");
  return op;
}

void CopyCounter::before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  if (op != copy_operator()) return;
  const at::Tensor& destination = stack[stack.size() - 3].toTensor();
  const at::Tensor& source = stack[stack.size() - 2].toTensor();
  if (!destination.is_meta()) return;
  if (destination.numel() != source.numel())
    throw std::runtime_error(fmt::format("copy of {} elements onto {}", source.numel(), destination.numel()));
  numel_ += destination.numel();
}

}  // namespace reloadlab::layerwise
