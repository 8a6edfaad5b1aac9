// Every operator without a registration of its own: its shapes are settled at issue, its work is queued and runs on CPU aliases later.
#include <ATen/MemoryOverlap.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty_strided.h>
#include <torch/library.h>

#include "reference/base/check.h"
#include "sim/world/modelled/device.h"
#include "sim/world/modelled/machine.h"
#include "sim/world/modelled/shadows.h"
#include "sim/world/order/operator_facts.h"

namespace reloadlab::sim::modelled {
namespace {

using at::Tensor;
using c10::IValue;
using torch::jit::Stack;

int device_of(const Stack& arguments) {
  int device = -1;
  for (const IValue& argument : arguments) {
    if (argument.isDevice() && argument.toDevice().has_index() && device < 0) device = device_called(argument.toDevice().index());
    each_tensor(argument, [&](const Tensor& tensor) {
      if (!is_modelled(tensor)) return;
      int its = device_called(tensor.device().index());
      TORCH_CHECK(device < 0 || device == its, "tensors on sim:", device, " and ", tensor.device(), " in one operator");
      device = its;
    });
  }
  return device < 0 ? Machine::required().device() : device;
}

// Gives an empty `out=` the shape that the result will have.
void settle_outs(const c10::OperatorHandle& op, const OperatorFacts& facts, Stack& arguments) {
  auto is_empty_out = [&](size_t i) { return facts.is_out[i] && arguments[i].isTensor() && arguments[i].toTensor().numel() == 0; };
  bool any = false;
  for (size_t i = 0; i < arguments.size(); ++i) any |= is_empty_out(i);
  if (!any) return;
  Shapes shapes = infer(op, arguments);
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!is_empty_out(i)) continue;
    Tensor shape = shapes.arguments[i].toTensor();
    arguments[i].toTensor().resize_(shape.sizes());
    if (shape.strides() != arguments[i].toTensor().strides()) arguments[i].toTensor().as_strided_(shape.sizes(), shape.strides());
  }
}

// A call whose work is yet to be done: what it will be called with, and where its fresh results go.
struct Deferred {
  c10::OperatorHandle op;
  Stack arguments;
  std::vector<std::pair<size_t, std::vector<Tensor>>> fresh;  // return -> aliases of the tensors promised for it

  void operator()() const {
    Stack stack = arguments;
    op.callBoxed(&stack);
    for (const auto& [index, promised] : fresh) {
      const std::vector<Tensor> actual = stack[index].isTensor() ? std::vector{stack[index].toTensor()} : stack[index].toTensorVector();
      for (size_t i = 0; i < promised.size(); ++i) {
        RELOADLAB_CHECK(promised[i].sizes() == actual.at(i).sizes(), "the shape that was promised for " + op.schema().name());
        promised[i].copy_(actual[i]);
      }
    }
  }
};

// What a kernel will see: modelled memory by address, host tensors by value.
Stack aliases(const Stack& arguments) {
  AccountScope nobody(nullptr);
  return mapped(
      arguments, [](const Tensor& tensor) { return is_modelled(tensor) ? alias_on_cpu(tensor) : tensor.clone(); }, c10::Device(at::kCPU));
}

std::vector<Access> accesses(const OperatorFacts& facts, const Stack& arguments) {
  std::vector<Access> list;
  for (size_t i = 0; i < arguments.size(); ++i)
    each_tensor(arguments[i], [&](const Tensor& tensor) {
      if (is_modelled(tensor) && tensor.numel() > 0) list.push_back(access_to(tensor, facts.writes[i]));
    });
  return list;
}

// Hosts are told at once, as by every device, and not when the kernel runs.
void check_overlap(const OperatorFacts& facts, const Stack& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i)
    if (facts.writes[i]) each_tensor(arguments[i], [](const Tensor& tensor) { at::assert_no_internal_overlap(tensor); });
}

int64_t kernel_bytes(const std::vector<Access>& accesses) {
  int64_t bytes = 0;
  for (const Access& access : accesses) bytes += access.region.end() - access.region.begin();
  return bytes;
}

// Fresh results on the device, from shapes; their aliases and accesses go into the call.
IValue promise(const IValue& shape, size_t index, int device, Deferred& call, Kernel& kernel) {
  std::vector<Tensor> promised;
  auto make = [&](const Tensor& like) {
    Tensor result = at::empty_strided(like.sizes(), like.strides(), like.options().device(modelled_device(device)));
    if (result.numel() > 0) kernel.accesses.push_back(access_to(result, true));
    promised.push_back(alias_on_cpu(result));
    return result;
  };
  IValue results = mapped(shape, make, modelled_device(device));
  call.fresh.emplace_back(index, std::move(promised));
  return results;
}

void queue(const c10::OperatorHandle& op, const OperatorFacts& facts, Stack& arguments, Stack& results) {
  int device = device_of(arguments);
  c10::DeviceGuard guard(modelled_device(device));
  settle_outs(op, facts, arguments);
  check_overlap(facts, arguments);
  Kernel kernel{.name = op.schema().name(), .accesses = accesses(facts, arguments)};
  bool bytes = Machine::required().config().bytes;
  Deferred call{.op = op, .arguments = bytes ? aliases(arguments) : Stack(), .fresh = {}};
  if (bytes) refuse_now(op, facts, arguments);
  bool any_fresh = std::find(facts.returns.begin(), facts.returns.end(), -1) != facts.returns.end();
  Shapes shapes = any_fresh ? infer(op, arguments) : Shapes{};
  for (size_t i = 0; i < facts.returns.size(); ++i) {
    int argument = facts.returns[i];
    results.push_back(argument >= 0 ? arguments[static_cast<size_t>(argument)] : promise(shapes.results[i], i, device, call, kernel));
  }
  kernel.cost = kernel_cost(Machine::required().config().rates, kernel_bytes(kernel.accesses), flop_of(op, arguments));
  if (bytes) kernel.run = std::move(call);
  Machine::required().issue(stream_here(device), std::move(kernel));
}

// The host waits for the result, as it does on a GPU, and only then knows the value or the shape.
void wait_for(const c10::OperatorHandle& op, const OperatorFacts& facts, const Stack& arguments, Stack& results) {
  int device = device_of(arguments);
  c10::DeviceGuard guard(modelled_device(device));
  Machine& machine = Machine::required();
  Stream& stream = stream_here(device);
  need_bytes("the value of " + op.schema().name());
  TORCH_CHECK(!stream.capture, op.schema().name(), " makes the host wait while ", stream.name(), " is capturing");
  auto answer = std::make_shared<Stack>(aliases(arguments));
  Kernel kernel{.name = op.schema().name(), .accesses = accesses(facts, arguments)};
  kernel.cost = kernel_cost(machine.config().rates, kernel_bytes(kernel.accesses), 0);
  kernel.run = [op, answer] { op.callBoxed(answer.get()); };
  machine.issue(stream, std::move(kernel));
  machine.host_wait(machine.record(stream, "the value of " + op.schema().name()));
  for (size_t i = 0; i < facts.returns.size(); ++i) {
    if (facts.returns[i] >= 0) {
      results.push_back(arguments[static_cast<size_t>(facts.returns[i])]);
    } else {
      results.push_back(
          mapped((*answer)[i], [&](const Tensor& tensor) { return tensor.to(modelled_device(device)); }, modelled_device(device)));
    }
  }
}

void fallback(const c10::OperatorHandle& op, c10::DispatchKeySet, Stack* stack) {
  const OperatorFacts& facts = facts_of(op);
  auto first = stack->end() - static_cast<std::ptrdiff_t>(op.schema().arguments().size());
  Stack arguments(first, stack->end()), results;
  stack->erase(first, stack->end());
  if (facts.host_synchronizes) {
    wait_for(op, facts, arguments, results);
  } else {
    queue(op, facts, arguments, results);
  }
  for (IValue& result : results) stack->push_back(std::move(result));
}

}  // namespace

void register_kernels(torch::Library& any) { any.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>()); }

}  // namespace reloadlab::sim::modelled
