#pragma once
// The stacks of a layer of kind fused_experts: which there are, their shapes, what checkpoints call the matrices in them, and which sizes
// they ask for. Closed-form, without tensors; what loaders do with a matrix is expert_loader.h.
#include <string_view>
#include <vector>

#include "reference/base/status.h"
#include "reference/model/spec.h"

namespace reloadlab::model {

inline constexpr int64_t expert_block = 128;  // rows and columns that share a scale

bool by_expert(const LayerSpec& spec);  // whether ranks have whole experts
// The ranks that the layer is split over: those of all groups where they have whole experts.
TensorParallel split_over(const LayerSpec& spec, TensorParallel tp);
bool has_block_scales(const LayerSpec& spec);   // whether weights are 8-bit and come with a scale for each block
bool has_tensor_scales(const LayerSpec& spec);  // … or with one for each matrix

// Two stacks of an expert's matrices, w13_ and w2_ before the suffix: the weights, their words, or as many of their scales as there are.
struct Stacks {
  static constexpr int64_t pair = 0, number = -1;
  std::string_view suffix;
  int64_t hidden, intermediate;
  DType dtype;
  int64_t packed = 1;  // elements of a row that are one here; pair: no matrix, but the two sizes of it; number: one, of which w13_ has two
                       // beside one another
  int64_t rows_packed = 1;  // rows that are one here

  Shape whole(std::string_view shard) const { return matrix(shard, intermediate); }
  Shape matrix(std::string_view shard, int64_t share) const;  // with so many intermediate elements
  std::string slot(std::string_view shard) const;
};

std::vector<Stacks> stacks_of(const LayerSpec& spec);
const Stacks& stacks_with(const std::vector<Stacks>& all, std::string_view slot);  // REQUIRES that it is a slot of one

std::vector<SlotSpec> stack_slots(const LayerSpec& spec, TensorParallel tp);
std::vector<Delivery> stack_deliveries(const LayerSpec& spec);
Status check_stack_sizes(const LayerSpec& spec, int ranks);

}  // namespace reloadlab::model
