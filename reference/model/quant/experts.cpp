#include "reference/model/quant/experts.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

namespace reloadlab::model {
namespace {

constexpr std::string_view stack_names[] = {w13_name, w2_name};

std::vector<at::Tensor> make_empty(const StackSlots& slots, const at::Tensor& old) {
  std::vector<at::Tensor> made;
  for (const SlotSpec& slot : slots) made.push_back(at::empty(slot.shape, old.options().dtype(to_torch(slot.dtype))));
  return made;
}

std::vector<at::Tensor> of_expert(const std::vector<at::Tensor>& stacks, int64_t expert) {
  std::vector<at::Tensor> all;
  for (const at::Tensor& stack : stacks) all.push_back(stack.select(0, expert));
  return all;
}

}  // namespace

int64_t experts_worked_on(const at::Tensor& stack) { return stack.is_meta() ? std::min<int64_t>(stack.size(0), 1) : stack.size(0); }

StackSize stack_size(const SlotSpec& stack) {
  return {stack.shape[0], stack.shape[1], stack.shape[2], stack.name == w13_name ? 2 : 1, stack.dtype};
}

SlotSpec loaded_stack(const Layer& layer, std::string_view name) { return *find_slot(layer.kind->slots(layer.spec, layer.tp), name); }

std::vector<SlotSpec> with_stacks(const std::vector<SlotSpec>& before, const std::function<StackSlots(const StackSize&)>& becomes) {
  std::vector<SlotSpec> after = before, made;
  for (const std::string_view name : stack_names) {
    SlotSpec& stack = *std::ranges::find(after, name, &SlotSpec::name);
    StackSlots slots = becomes(stack_size(stack));
    stack.shape = slots[0].shape;
    stack.dtype = slots[0].dtype;
    stack.alias_of.reset();
    for (size_t i = 1; i < slots.size(); ++i) {
      slots[i].name.insert(0, name);
      made.push_back(std::move(slots[i]));
    }
  }
  after.insert(std::ranges::find(after, SlotSpec::Kind::buffer, &SlotSpec::kind), made.begin(), made.end());
  return after;
}

int64_t stack_bytes(const std::vector<SlotSpec>& before, const std::function<StackSlots(const StackSize&)>& becomes) {
  int64_t bytes = 0;
  for (const std::string_view name : stack_names)
    for (const SlotSpec& slot : becomes(stack_size(*find_slot(before, name)))) bytes += storage_bytes(slot);
  return bytes;
}

int64_t most_of_an_expert(const std::vector<SlotSpec>& before, const std::function<int64_t(const StackSize&)>& takes) {
  int64_t most = 0;
  for (const std::string_view name : stack_names) most = std::max(most, takes(stack_size(*find_slot(before, name))));
  return most;
}

Status check_stacks(std::string_view method, const std::vector<SlotSpec>& before, std::span<const std::string_view> made) {
  for (const SlotSpec& slot : before) {
    if (slot.alias_of) return refused(method, "cannot replace tensors that are views, or tied to a layer of another quantization");
    const bool is_stack = std::ranges::count(stack_names, slot.name) > 0;
    if (!is_stack && std::ranges::count(made, slot.name) > 0)
      return refused(method, fmt::format("makes a tensor called {}, and the layer has one", slot.name));
  }
  for (const std::string_view name : stack_names) {
    const SlotSpec* stack = find_slot(before, name);
    if (!stack || stack->shape.size() != 3) return refused(method, "needs stacks w13_weight and w2_weight, as fused_experts has them");
    if (stack->dtype != DType::f32 && stack->dtype != DType::bf16) return refused(method, "needs weights in f32 or bf16");
  }
  return {};
}

Status ExpertsStep::process(Layer& layer) {
  ParameterPtr old[2];  // alive to the end of the step
  StackSlots slots[2];
  std::vector<at::Tensor> made[2];
  for (int i : {0, 1}) {
    old[i] = layer.tensor(stack_names[i]);
    if (!old[i] || old[i]->tensor.dim() != 3)
      return Status(Code::failed, fmt::format("layer {} has no stack {} of matrices", layer.path(), stack_names[i]));
    const at::IntArrayRef sizes = old[i]->tensor.sizes();
    slots[i] = becomes({sizes[0], sizes[1], sizes[2], i == 0 ? 2 : 1, from_torch(old[i]->tensor.scalar_type())});
    made[i] = make_empty(slots[i], old[i]->tensor);
  }
  for (int i : {0, 1})
    for (int64_t expert = 0; expert < experts_worked_on(old[i]->tensor); ++expert)
      fill(old[i]->tensor.select(0, expert), i == 0 ? 2 : 1, of_expert(made[i], expert));
  layer.assign(w13_name, replacement_of(old[0], made[0][0]));
  RELOADLAB_TRY(post_load_middle(layer));
  layer.assign(w2_name, replacement_of(old[1], made[1][0]));
  for (int i : {0, 1})
    for (size_t slot = 1; slot < slots[i].size(); ++slot)
      layer.assign(fmt::format("{}{}", stack_names[i], slots[i][slot].name), made_parameter(made[i][slot]));
  return {};
}

at::Tensor exchanged(const at::Tensor& stack) {
  at::Tensor other = at::empty(stack.sizes(), stack.options());
  const int64_t rows = stack.size(1) / 2;
  for (int64_t part : {0, 1}) other.narrow(1, (1 - part) * rows, rows).copy_(stack.narrow(1, part * rows, rows));
  return other;
}

}  // namespace reloadlab::model
