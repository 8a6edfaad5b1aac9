#include "sim/world/order/operator_facts.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <map>

namespace reloadlab::sim {
namespace {

// The shape of the result depends on the data; a shadow of zeros would silently give no rows.
constexpr std::string_view shape_from_data[] = {
    "aten::nonzero",    "aten::masked_select",      "aten::_unique",  "aten::_unique2",
    "aten::unique_dim", "aten::unique_consecutive", "aten::bincount", "aten::unique_dim_consecutive",
};

struct Unmarked {
  std::string_view name;
  std::vector<size_t> written;
};

// Writers whose schema has no mark: running statistics.
const std::vector<Unmarked>& unmarked_writers() {
  static const std::vector<Unmarked> table = {{"aten::native_batch_norm", {3, 4}}, {"aten::cudnn_batch_norm", {3, 4}}};
  return table;
}

bool is_written(const c10::Argument& argument) { return argument.alias_info() && argument.alias_info()->isWrite(); }

int argument_of_return(const c10::FunctionSchema& schema, const c10::Argument& returned) {
  if (!is_written(returned)) return -1;
  for (size_t i = 0; i < schema.arguments().size(); ++i) {
    const c10::Argument& argument = schema.arguments()[i];
    if (is_written(argument) && argument.alias_info()->beforeSets() == returned.alias_info()->beforeSets()) return static_cast<int>(i);
  }
  return -1;
}

bool is_tensor_like(const c10::Argument& returned) {
  return returned.type()->kind() == c10::TypeKind::TensorType ||
         (returned.type()->kind() == c10::TypeKind::ListType && returned.type()->containedType(0)->kind() == c10::TypeKind::TensorType);
}

OperatorFacts read(const c10::FunctionSchema& schema) {
  OperatorFacts facts;
  for (const c10::Argument& argument : schema.arguments()) {
    facts.writes.push_back(is_written(argument));
    facts.is_out.push_back(is_written(argument) && argument.kwarg_only());
  }
  for (const Unmarked& writer : unmarked_writers())
    if (writer.name == schema.name())
      for (size_t argument : writer.written) facts.writes[argument] = true;
  for (const c10::Argument& returned : schema.returns()) {
    facts.returns.push_back(argument_of_return(schema, returned));
    if (!is_tensor_like(returned)) facts.host_synchronizes = true;
  }
  for (std::string_view name : shape_from_data)
    if (name == schema.name()) facts.host_synchronizes = true;
  return facts;
}

}  // namespace

const OperatorFacts& facts_of(const c10::OperatorHandle& op) {
  static std::map<const c10::FunctionSchema*, OperatorFacts> known;  // looked up, never walked
  const c10::FunctionSchema& schema = op.schema();
  auto found = known.find(&schema);
  if (found == known.end()) found = known.emplace(&schema, read(schema)).first;
  return found->second;
}

int64_t flop_of(const c10::OperatorHandle& op, const torch::jit::Stack& arguments) {
  const std::string& name = op.schema().name();
  size_t left = name == "aten::mm" || name == "aten::bmm" ? 0 : name == "aten::addmm" || name == "aten::baddbmm" ? 1 : arguments.size();
  if (left + 1 >= arguments.size()) return 0;
  return 2 * arguments[left].toTensor().numel() * arguments[left + 1].toTensor().size(-1);
}

}  // namespace reloadlab::sim
