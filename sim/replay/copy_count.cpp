#include "sim/replay/copy_count.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <string_view>
#include <unordered_map>

namespace reloadlab::sim {
namespace {

enum class Copies {
  nothing,
  into,         // its first argument is written
  into_each,    // which is a list
  or_the_same,  // a new tensor, unless there was no need for one
};

Copies kind_of(std::string_view name) {
  constexpr std::pair<std::string_view, Copies> kinds[] = {
      {"aten::copy_", Copies::into},           {"aten::_foreach_copy_", Copies::into_each}, {"aten::clone", Copies::or_the_same},
      {"aten::_to_copy", Copies::or_the_same}, {"aten::to", Copies::or_the_same},           {"aten::contiguous", Copies::or_the_same},
      {"aten::reshape", Copies::or_the_same}};
  for (const auto& [known, kind] : kinds)
    if (known == name) return kind;
  return Copies::nothing;
}

// Looked up once an operator: names are long, and there are many operators.
Copies kind_of(const c10::OperatorHandle& op) {
  thread_local std::unordered_map<const c10::FunctionSchema*, Copies> known;
  const auto [found, fresh] = known.try_emplace(&op.schema(), Copies::nothing);
  if (fresh) found->second = kind_of(op.operator_name().name);
  return found->second;
}

int64_t bytes_of(const at::Tensor& tensor) { return tensor.numel() * static_cast<int64_t>(tensor.itemsize()); }

const void* storage_of(const at::Tensor& tensor) {
  return tensor.defined() && tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
}

void add(const at::Tensor& tensor, Copied& to) {
  if (!tensor.defined()) return;
  ++to.copies;
  to.bytes += bytes_of(tensor);
}

}  // namespace

void CopyCount::before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  pending_ = {};
  const Copies kind = kind_of(op);
  if (kind == Copies::nothing) return;
  const c10::IValue& first = stack[stack.size() - op.schema().arguments().size()];
  if (kind == Copies::into && first.isTensor()) add(first.toTensor(), pending_);
  if (kind == Copies::into_each && first.isTensorList())
    for (const at::Tensor& tensor : first.toTensorVector()) add(tensor, pending_);
  if (kind == Copies::or_the_same) source_ = first.isTensor() ? storage_of(first.toTensor()) : nullptr;
}

void CopyCount::after(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  if (kind_of(op) == Copies::or_the_same && !stack.empty() && stack.back().isTensor())
    if (const at::Tensor& result = stack.back().toTensor(); storage_of(result) != source_) add(result, pending_);
  copied_.copies += pending_.copies;
  copied_.bytes += pending_.bytes;
  pending_ = {};
}

}  // namespace reloadlab::sim
