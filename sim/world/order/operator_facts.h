#pragma once
// What an operator's schema says that a deferred kernel has to know, and the tables for what schemas do not say.

#include <vector>

#include "reference/model/tap/operator_names.h"

namespace reloadlab::sim {

struct OperatorFacts {
  std::vector<bool> writes;        // by argument: its tensors are written
  std::vector<bool> is_out;        // by argument: an `out=`, which is resized where it is empty
  std::vector<int> returns;        // by return: the argument that comes back, or -1 for a fresh tensor
  bool host_synchronizes = false;  // a value or a shape depends on data: the host has to wait
};

const OperatorFacts& facts_of(const c10::OperatorHandle& op);
// Floating-point operations of matrix products; 0 for others.
int64_t flop_of(const c10::OperatorHandle& op, const torch::jit::Stack& arguments);

}  // namespace reloadlab::sim
