#pragma once
// What operators write. Alias annotations say which argument an operator may write, not which of its elements, so they are not
// write sets; this table is. An operator that writes an argument and is not in the table is unaccountable.
#include <ATen/core/dispatch/Dispatcher.h>

#include <unordered_map>

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

// Looks rules up once per operator.
class OpRules {
 public:
  OpRule of(const c10::OperatorHandle& op);

 private:
  std::unordered_map<c10::OperatorHandle, OpRule> known_;
};

// The argument that the schema says is written, or the first one.
size_t written_argument(const c10::FunctionSchema& schema);

}  // namespace reloadlab::layerwise
