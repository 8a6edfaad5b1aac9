#pragma once
// Counts the copies among the operators that a tap sees. An operator that failed, or that was not let through, copied nothing.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

#include "reference/model/tap/operator_names.h"

namespace reloadlab::sim {

struct Copied {
  int64_t copies = 0, bytes = 0;
};

class CopyCount {
 public:
  // As OpListener has them, for each operator in turn.
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack);
  void after(const c10::OperatorHandle& op, const torch::jit::Stack& stack);
  Copied take() { return std::exchange(copied_, {}); }  // since the last call

 private:
  Copied copied_, pending_;
  const void* source_ = nullptr;  // the storage that the operator reads, where it may also return it as it is
};

}  // namespace reloadlab::sim
