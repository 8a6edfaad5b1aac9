#include "reference/layerwise/accounting/op_rules.h"

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

std::vector<size_t> written_arguments(const c10::FunctionSchema& schema) {
  std::vector<size_t> written;
  for (size_t i = 0; i < schema.arguments().size(); ++i) {
    const c10::AliasInfo* alias = schema.arguments()[i].alias_info();
    if (alias && alias->isWrite()) written.push_back(i);
  }
  return written;
}

OpRule rule_of(const c10::FunctionSchema& schema, const std::vector<size_t>& written) {
  if (written.empty()) return OpRule::reads;
  std::string_view name = schema.name();
  if (!name.starts_with("aten::") || written != std::vector<size_t>{0}) return OpRule::unaccountable;
  name.remove_prefix(std::string_view("aten::").size());
  for (const Row& row : table)
    if (row.name == name) return row.rule;
  return OpRule::unaccountable;
}

}  // namespace

const RuleOfOp& OpRules::of(const c10::OperatorHandle& op) {
  auto known = known_.find(op);
  if (known != known_.end()) return known->second;
  RuleOfOp made{.arguments = op.schema().arguments().size(), .written = written_arguments(op.schema())};
  made.rule = rule_of(op.schema(), made.written);
  return known_.emplace(op, std::move(made)).first->second;
}

}  // namespace reloadlab::layerwise
