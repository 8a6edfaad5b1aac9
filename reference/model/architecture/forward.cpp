#include "reference/model/architecture/forward.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "reference/base/check.h"
#include "reference/base/prng.h"
#include "reference/model/architecture/lockstep.h"
#include "reference/model/kinds/compute.h"

namespace reloadlab::model {
namespace {

std::vector<ForwardOutput> each_layer(std::span<Model* const> ranks, uint64_t seed, const Reduce& reduce) {
  const Lockstep lockstep(ranks, reduce);
  std::vector<ForwardOutput> outputs;
  for (const LayerPtr& layer : ranks.front()->layers()) {
    PerRank inputs;
    for (const Model* model : ranks) inputs.push_back(layer->kind->example_input(layer->spec, model->tp, seed ^ hash_name(layer->path())));
    outputs.push_back({layer->path(), lockstep.run(layer->path(), inputs)});
  }
  return outputs;
}

constexpr int64_t example_tokens = 12;

}  // namespace

PerRank Lockstep::run(const std::string& path, const PerRank& inputs) const {
  PerRank results;
  bool partial = false;
  for (size_t rank = 0; rank < size(); ++rank) {
    LayerPtr layer = ranks_[rank]->find(path);
    RELOADLAB_CHECK(layer, fmt::format("rank {} has no layer {}", rank, path));
    partial = layer->kind->is_partial(layer->spec);
    results.push_back(layer->kind->forward(*layer, inputs[rank]));
  }
  return partial ? PerRank(size(), reduce_(std::move(results))) : results;
}

at::Tensor sum_in_rank_order(std::vector<at::Tensor> partials) {
  at::Tensor sum = partials.front();
  for (size_t rank = 1; rank < partials.size(); ++rank) sum = sum + partials[rank];
  return sum;
}

std::vector<ForwardOutput> run_forward(std::span<Model* const> ranks, uint64_t seed, const Reduce& reduce) {
  RELOADLAB_CHECK(!ranks.empty(), "a forward needs at least one rank");
  at::NoGradGuard no_grad;
  const ModelSpec& spec = ranks.front()->spec;
  if (spec.architecture == "layers") return each_layer(ranks, seed, reduce);
  RELOADLAB_CHECK(spec.architecture == "bert", "no forward for architecture " + spec.architecture);
  return bert_forward(ranks, example_indices(example_tokens, std::get<int64_t>(spec.values.find("vocab")->second), seed), reduce);
}

at::Tensor joined(const std::vector<ForwardOutput>& outputs, size_t rank) {
  std::vector<at::Tensor> flat;
  for (const ForwardOutput& output : outputs) flat.push_back(output.ranks[rank].reshape(-1));
  return at::cat(flat);
}

}  // namespace reloadlab::model
