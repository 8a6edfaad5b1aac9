// Token embedding, the vocabulary split over ranks: a rank gives zeros for tokens that it does not have, so the forward is a partial sum.
#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/where.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/vocab_rows.h"

namespace reloadlab::model {
namespace {

class VocabParallelEmbedding final : public VocabRows {
 public:
  VocabParallelEmbedding()
      : VocabRows("vocab_parallel_embedding", "token embedding with a padded vocabulary, split over ranks", "VocabParallelEmbedding") {}

  at::Tensor forward(Layer& layer, const at::Tensor& tokens) const override {
    const at::Tensor weight = logical(layer, "weight");
    const at::Tensor local = tokens - rows_of(layer.spec, layer.tp).local * layer.tp.rank;
    const at::Tensor mine = (local >= 0).logical_and(local < weight.size(0));
    const at::Tensor rows = at::embedding(weight, at::where(mine, local, 0));
    return at::where(mine.unsqueeze(-1), rows, 0.0).to(weight.scalar_type());
  }
  bool is_partial(const LayerSpec&) const override { return true; }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_indices(5, spec.integer("vocab"), seed);
  }
};

}  // namespace

const LayerKind& vocab_parallel_embedding() {
  static const VocabParallelEmbedding kind;
  return kind;
}

}  // namespace reloadlab::model
