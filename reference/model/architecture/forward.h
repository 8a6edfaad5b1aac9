#pragma once
// Forwards over all ranks of a tensor-parallel group that live in this process, in lockstep: each layer on every rank, then the sum of
// the partial results where the layer gives such. Everything is float32 (float64 for float64 layers) and deterministic.
#include <ATen/core/Tensor.h>

#include "reference/model/layer.h"

namespace reloadlab::model {

// Sums the local ranks' partial results, given in rank order, and returns what each of those ranks then has: one tensor. A world whose
// ranks live elsewhere reduces over its group as well.
using Reduce = std::function<at::Tensor(std::vector<at::Tensor> partials)>;
at::Tensor sum_in_rank_order(std::vector<at::Tensor> partials);

struct ForwardOutput {
  std::string name;
  std::vector<at::Tensor> ranks;  // one for each local rank: equal where the layer's results were summed
};

// Runs the architecture's forward on a fixed input drawn from the seed; where there is none, as for "layers", each layer on its own
// example input, in module order, one output each. `ranks` are the models of one group in rank order, all of
// one spec. Throws what operators throw.
std::vector<ForwardOutput> run_forward(std::span<Model* const> ranks, uint64_t seed, const Reduce& reduce = sum_in_rank_order);

// All outputs of one rank as one flat tensor.
at::Tensor joined(const std::vector<ForwardOutput>& outputs, size_t rank);

// The encoder on one sequence of token indices: "encoder" [tokens, hidden] and "pooler" [hidden].
std::vector<ForwardOutput> bert_forward(std::span<Model* const> ranks, const at::Tensor& tokens, const Reduce& reduce = sum_in_rank_order);
// The decoder on one sequence: "states" [tokens, hidden] and "logits", each rank's own part of the padded vocabulary.
std::vector<ForwardOutput> llama_forward(std::span<Model* const> ranks, const at::Tensor& tokens, const Reduce& reduce = sum_in_rank_order);

}  // namespace reloadlab::model
