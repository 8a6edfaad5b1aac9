#include "sim/world/modelled/shadows.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include <bit>
#include <set>

#include "reference/base/prng.h"
#include "sim/world/modelled/device.h"

namespace reloadlab::sim::modelled {
namespace {

using at::Tensor;
using c10::IValue;
using torch::jit::Stack;

Tensor shadow(const Tensor& tensor, c10::Device device) {
  Tensor copy = at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(device));
  return device.is_meta() ? copy : copy.zero_();
}

Shapes on_shadows(const c10::OperatorHandle& op, const Stack& arguments, c10::Device device) {
  AccountScope nobody(nullptr);
  auto to_shadow = [&](const Tensor& tensor) {
    bool scalar = !is_modelled(tensor) && tensor.dim() == 0;
    return scalar ? tensor : shadow(tensor, device);
  };
  Shapes shapes;
  shapes.arguments = mapped(arguments, to_shadow, device);
  shapes.results = shapes.arguments;
  on_device([&] { op.callBoxed(&shapes.results); });
  return shapes;
}

// Of an operator and all that it may refuse.
class Look {
 public:
  Look(const c10::OperatorHandle& op, const Stack& arguments) {
    add(std::bit_cast<int64_t>(&op.schema()));
    for (const IValue& argument : arguments) add(argument);
  }
  uint64_t value() const { return value_; }

 private:
  void add(int64_t number) { value_ = mix64(value_ ^ static_cast<uint64_t>(number)); }
  void add(at::IntArrayRef numbers) {
    add(static_cast<int64_t>(numbers.size()));
    for (const int64_t number : numbers) add(number);
  }
  void add(const Tensor& tensor) {
    add(static_cast<int64_t>(tensor.scalar_type()));
    add(tensor.sizes());
    add(tensor.strides());
  }
  void add(const IValue& value) {
    each_tensor(value, [&](const Tensor& tensor) { add(tensor); });
    if (value.isInt()) add(value.toInt());
    if (value.isBool()) add(int64_t{value.toBool()});
    if (value.isDouble()) add(std::bit_cast<int64_t>(value.toDouble()));
    if (value.isIntList()) add(at::IntArrayRef(value.toIntVector()));
  }

  uint64_t value_ = 0;
};

// Outs take whatever shape comes, which may follow from what is in the rest.
Stack with_empty_outs(const OperatorFacts& facts, Stack arguments) {
  for (size_t i = 0; i < arguments.size(); ++i)
    if (facts.is_out[i] && arguments[i].isTensor()) arguments[i] = at::empty({0}, arguments[i].toTensor().options().device(at::kMeta));
  return arguments;
}

}  // namespace

IValue mapped(const IValue& value, const TensorMap& f, c10::Device device) {
  if (value.isTensor()) return value.toTensor().defined() ? IValue(f(value.toTensor())) : value;
  if (value.isDevice()) return device;
  if (value.isTensorList()) {
    c10::List<Tensor> list;
    for (const Tensor& tensor : value.toTensorVector()) list.push_back(f(tensor));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<Tensor>> list;
    for (const std::optional<Tensor>& tensor : value.toOptionalTensorVector())
      list.push_back(tensor && tensor->defined() ? std::optional(f(*tensor)) : tensor);
    return list;
  }
  return value;
}

Stack mapped(const Stack& values, const TensorMap& f, c10::Device device) {
  Stack result;
  for (const IValue& value : values) result.push_back(mapped(value, f, device));
  return result;
}

void each_tensor(const IValue& value, const std::function<void(const Tensor&)>& visit) {
  auto keep = [&](const Tensor& tensor) {
    visit(tensor);
    return tensor;
  };
  (void)mapped(value, keep, c10::Device(at::kCPU));
}

Shapes infer(const c10::OperatorHandle& op, const Stack& arguments) {
  try {
    return on_shadows(op, arguments, c10::Device(at::kMeta));
  } catch (const c10::NotImplementedError&) {
    return on_shadows(op, arguments, c10::Device(at::kCPU));
  }
}

void refuse_now(const c10::OperatorHandle& op, const OperatorFacts& facts, const Stack& arguments) {
  static std::set<uint64_t> taken;
  constexpr size_t most = 1 << 16;
  if (op.hasTag(at::Tag::nondeterministic_seeded)) return;  // it would draw numbers
  const uint64_t look = Look(op, arguments).value();
  if (taken.contains(look)) return;
  const Stack alike = with_empty_outs(facts, arguments);
  (void)infer(op, alike);
  try {
    (void)on_shadows(op, alike, c10::Device(at::kCPU));
  } catch (const c10::NotImplementedError&) {
    throw;
  } catch (const c10::Error&) {  // NOLINT(bugprone-empty-catch): of the zeros, by which one cannot divide, say
  }
  if (taken.size() >= most) taken.clear();
  taken.insert(look);
}

}  // namespace reloadlab::sim::modelled
