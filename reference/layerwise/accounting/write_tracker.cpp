#include "reference/layerwise/accounting/write_tracker.h"

#include <fmt/format.h>

#include <stdexcept>

#include "reference/layerwise/accounting/copy_counter.h"
#include "reference/layerwise/accounting/indexed.h"

namespace reloadlab::layerwise {

void WriteTracker::watch(const c10::StorageImpl* storage, void* as) { watched_.insert_or_assign(storage, as); }

void WriteTracker::start() {
  writes_.clear();
  copies_.clear();
  copies_only_ = true;
  lost_.clear();
  refusal_ = Status();
}

void* WriteTracker::watched(const at::Tensor& tensor) const {
  if (!tensor.defined() || !tensor.has_storage()) return nullptr;
  auto found = watched_.find(tensor.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl());
  return found == watched_.end() ? nullptr : found->second;
}

void WriteTracker::before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  const RuleOfOp& rule = rules_.of(op);
  if (rule.rule == OpRule::reads) return;
  const c10::IValue* arguments = stack.data() + (stack.size() - rule.arguments);
  for (size_t index : rule.written) {
    const c10::IValue& value = arguments[index];
    if (value.isTensor()) note(op, rule.rule, arguments, value.toTensor());
    if (!value.isTensorList()) continue;
    for (const at::Tensor& tensor : value.toTensorVector()) note(op, rule.rule, arguments, tensor);
  }
}

void WriteTracker::note(const c10::OperatorHandle& op, OpRule rule, const c10::IValue* arguments, const at::Tensor& destination) {
  void* as = watched(destination);
  if (!as) return;
  found_.clear();
  Status status = footprints(rule, op, arguments, destination);
  if (!status.ok()) return refuse(as, std::move(status));
  if (rule == OpRule::whole && what_ == Unaccountable::refuse) remember_copy(op, arguments, destination);
  copies_only_ = copies_only_ && rule == OpRule::whole && found_.size() == 1 && copies_.size() == writes_.size() + 1;
  for (const Footprint& footprint : found_) writes_.push_back({as, footprint, rule == OpRule::transforms});
}

void WriteTracker::remember_copy(const c10::OperatorHandle& op, const c10::IValue* arguments, const at::Tensor& destination) {
  if (op == copy_operator()) copies_.push_back({destination, arguments[1].toTensor()});
}

Status WriteTracker::footprints(OpRule rule, const c10::OperatorHandle& op, const c10::IValue* arguments, const at::Tensor& destination) {
  switch (rule) {
    case OpRule::reads:
      return {};
    case OpRule::whole:
    case OpRule::transforms:
      return append_footprints(destination, found_);
    case OpRule::index_put:
      if (arguments[3].toBool()) break;
      return append_index_put(destination, arguments[1], found_);
    case OpRule::index_dim:
      return append_index_dim(destination, arguments[1].toInt(), arguments[2].toTensor(), found_);
    case OpRule::masked:
      return append_masked(destination, arguments[1].toTensor(), found_);
    case OpRule::sets_storage:
      return Status(Code::rejected,
                    fmt::format("{} gives a placeholder another storage; a loader has to write into it", op.schema().name()));
    case OpRule::unaccountable:
      break;
  }
  return Status(Code::rejected, fmt::format("unaccountable: {} writes a placeholder, and what it writes of it is not known",
                                            c10::toString(op.operator_name())));
}

void WriteTracker::refuse(void* as, Status why) {
  lost_.push_back(as);
  if (what_ == Unaccountable::remember) return;
  refusal_ = std::move(why);
  throw std::runtime_error(refusal_.message());
}

}  // namespace reloadlab::layerwise
