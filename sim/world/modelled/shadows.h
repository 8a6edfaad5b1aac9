#pragma once
// What a call would come to, before its work is done: the same call on tensors that look like its own.
#include <ATen/core/dispatch/Dispatcher.h>

#include <functional>

#include "sim/world/order/operator_facts.h"

namespace reloadlab::sim::modelled {

using TensorMap = std::function<at::Tensor(const at::Tensor&)>;

// The value with `f` applied to each tensor in it, and its device replaced.
c10::IValue mapped(const c10::IValue& value, const TensorMap& f, c10::Device device);
torch::jit::Stack mapped(const torch::jit::Stack& values, const TensorMap& f, c10::Device device);
void each_tensor(const c10::IValue& value, const std::function<void(const at::Tensor&)>& visit);

struct Shapes {
  torch::jit::Stack results, arguments;  // of a call on shadows
};

// Most operators say their shapes on meta; those that have no kernel there run once on zeros.
Shapes infer(const c10::OperatorHandle& op, const torch::jit::Stack& arguments);

// Throws what the operator throws for arguments of such types, shapes and numbers: hosts are told when they call, as by every device, and
// the kernel, which runs later, would be taken for one that broke the device. Calls that look alike are tried once.
void refuse_now(const c10::OperatorHandle& op, const OperatorFacts& facts, const torch::jit::Stack& arguments);

}  // namespace reloadlab::sim::modelled
