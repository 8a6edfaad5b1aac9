#include "reference/layerwise/accounting/op_rules.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace reloadlab::layerwise {
namespace {

struct Row {
  std::string_view name;  // without namespace and overload: the rule holds for every overload
  OpRule rule;
};

constexpr std::array table{
    Row{"copy_", OpRule::whole},
    Row{"fill_", OpRule::whole},
    Row{"zero_", OpRule::whole},
    Row{"_foreach_copy_", OpRule::whole},
    Row{"_foreach_zero_", OpRule::whole},
    Row{"abs_", OpRule::transforms},
    Row{"add_", OpRule::transforms},
    Row{"clamp_", OpRule::transforms},
    Row{"div_", OpRule::transforms},
    Row{"exp_", OpRule::transforms},
    Row{"log_", OpRule::transforms},
    Row{"mul_", OpRule::transforms},
    Row{"neg_", OpRule::transforms},
    Row{"pow_", OpRule::transforms},
    Row{"reciprocal_", OpRule::transforms},
    Row{"rsqrt_", OpRule::transforms},
    Row{"sigmoid_", OpRule::transforms},
    Row{"sqrt_", OpRule::transforms},
    Row{"sub_", OpRule::transforms},
    Row{"_foreach_add_", OpRule::transforms},
    Row{"_foreach_mul_", OpRule::transforms},
    Row{"_foreach_neg_", OpRule::transforms},
    Row{"index_put_", OpRule::index_put},
    Row{"index_copy_", OpRule::index_dim},
    Row{"index_fill_", OpRule::index_dim},
    Row{"masked_fill_", OpRule::masked},
    Row{"masked_scatter_", OpRule::masked},
    Row{"set_", OpRule::sets_storage},
    Row{"resize_", OpRule::sets_storage},
    Row{"resize_as_", OpRule::sets_storage},
    Row{"requires_grad_", OpRule::reads},
};

bool is_written(const c10::Argument& argument) { return argument.alias_info() && argument.alias_info()->isWrite(); }

OpRule rule_of(const c10::FunctionSchema& schema) {
  if (std::none_of(schema.arguments().begin(), schema.arguments().end(), is_written)) return OpRule::reads;
  std::string_view name = schema.name();
  if (!name.starts_with("aten::")) return OpRule::unaccountable;
  name.remove_prefix(std::string_view("aten::").size());
  for (const Row& row : table)
    if (row.name == name) return written_argument(schema) == 0 ? row.rule : OpRule::unaccountable;
  return OpRule::unaccountable;
}

}  // namespace

OpRule OpRules::of(const c10::OperatorHandle& op) {
  auto known = known_.find(op);
  if (known != known_.end()) return known->second;
  return known_.emplace(op, rule_of(op.schema())).first->second;
}

size_t written_argument(const c10::FunctionSchema& schema) {
  const auto& arguments = schema.arguments();
  const auto written = std::find_if(arguments.begin(), arguments.end(), is_written);
  return written == arguments.end() ? 0 : static_cast<size_t>(written - arguments.begin());
}

}  // namespace reloadlab::layerwise
