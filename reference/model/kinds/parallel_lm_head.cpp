// Output head: logits of the rank's part of the padded vocabulary. With tied_to it has no tensor and no deliveries of its own.
#include <ATen/core/Tensor.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/vocab_rows.h"

namespace reloadlab::model {
namespace {

class ParallelLmHead final : public VocabRows {
 public:
  ParallelLmHead()
      : VocabRows("parallel_lm_head", "output head over a padded vocabulary, split over ranks; own or tied", "ParallelLMHead") {}

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override { return apply_linear(layer, input, false); }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("hidden")}, seed);
  }
};

}  // namespace

const LayerKind& parallel_lm_head() {
  static const ParallelLmHead kind;
  return kind;
}

}  // namespace reloadlab::model
