#pragma once
// What operators write. Alias annotations say which argument an operator may write, not which of its elements, so they are not
// write sets; this table is. An operator that writes an argument and is not in the table is unaccountable.
#include <ATen/core/dispatch/Dispatcher.h>

#include <unordered_map>
#include <vector>

namespace reloadlab::layerwise {

enum class OpRule {
  reads,          // writes none of its arguments
  whole,          // overwrites every element of its first argument (copy_, fill_, zero_, lists of them)
  transforms,     // overwrites every element of its first argument with a function of what was there (exp_, mul_)
  index_put,      // overwrites the elements that its index tensors name
  index_dim,      // overwrites the slices of one dimension that an index tensor names (index_copy_, index_fill_)
  masked,         // overwrites the elements where a mask is true
  sets_storage,   // gives the tensor another storage or another size
  unaccountable,  // writes somewhere in an argument
};

// A rule, and where the arguments that it is about lie.
struct RuleOfOp {
  OpRule rule = OpRule::reads;
  size_t arguments = 0;         // of the operator
  std::vector<size_t> written;  // indices of those that it may write
};

// Works rules out once per operator.
class OpRules {
 public:
  const RuleOfOp& of(const c10::OperatorHandle& op);

 private:
  std::unordered_map<c10::OperatorHandle, RuleOfOp> known_;  // looked up only
};

}  // namespace reloadlab::layerwise
