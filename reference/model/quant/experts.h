#pragma once
// What methods share that put something else in place of the two stacks of fused experts, expert by expert:
//
//   w13_weight [experts, 2n, k]   each expert's gate (w1) above its up projection (w3)
//   w2_weight  [experts, h, n]    its down projection
//
// As engines do, a step makes both new stacks, and what stands beside them, before it fills the first expert: peak beside the old stacks is
// all results and what the largest expert takes. Then it assigns w13_weight, w2_weight, and what it makes beside each.
#include "reference/model/post_load.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {

inline constexpr std::string_view w13_name = "w13_weight", w2_name = "w2_weight";

// A stack as it was loaded; `parts` of every expert stand below one another.
struct StackSize {
  int64_t experts, rows, columns, parts;
  DType dtype;
  int64_t elements() const { return rows * columns; }  // of an expert
};
StackSize stack_size(const SlotSpec& stack);
SlotSpec loaded_stack(const Layer& layer, std::string_view name);  // as the layer's constructor made it

// What a stack becomes: slots whose names are what follows the stack's own, the stack itself ("") first.
using StackSlots = std::vector<SlotSpec>;

std::vector<SlotSpec> with_stacks(const std::vector<SlotSpec>& before, const std::function<StackSlots(const StackSize&)>& becomes);
// Bytes of both stacks' slots.
int64_t stack_bytes(const std::vector<SlotSpec>& before, const std::function<StackSlots(const StackSize&)>& becomes);
// The most that one expert of either stack takes.
int64_t most_of_an_expert(const std::vector<SlotSpec>& before, const std::function<int64_t(const StackSize&)>& takes);

// Both stacks, dense, in f32 or bf16, that no view looks into, and no tensor yet with a name that the method makes.
Status check_stacks(std::string_view method, const std::vector<SlotSpec>& before, std::span<const std::string_view> made);

// How many experts of the stack a step works on: all, but of shapes alone one, since each takes what the others take.
int64_t experts_worked_on(const at::Tensor& stack);

// A stack w13 with its parts exchanged, in a tensor of its own.
at::Tensor exchanged(const at::Tensor& stack);

class ExpertsStep : public QuantMethod {
 protected:
  Status process(Layer& layer) final;
  virtual StackSlots becomes(const StackSize& size) const = 0;
  // Tensors of one expert, in the order of becomes().
  virtual void fill(const at::Tensor& loaded, int64_t parts, const std::vector<at::Tensor>& made) const = 0;
};

}  // namespace reloadlab::model
