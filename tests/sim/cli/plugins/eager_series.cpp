// A series without windows: every rank keeps all layers, and rank 0 sends each to the others as it is reached.
#include "sim/candidate/reloadlab_candidate.h"

namespace reloadlab::tests {
namespace {

class EagerSeries : public sim::WeightSeries {
 public:
  explicit EagerSeries(model::SeriesContext context) : context_(std::move(context)) {}
  Status register_layer(const model::LayerPtr& layer, int64_t index) override {
    layers_[index] = layer;
    return {};
  }
  Status finish_loading() override { return {}; }
  Status reach(int64_t index) override {
    std::vector<at::Tensor> sent{layers_.at(index)->tensor("weight")->tensor};
    context_.group->broadcast(sent, {})->wait();
    return {};
  }
  Status wait(int64_t) override { return {}; }

 private:
  const model::SeriesContext context_;
  std::map<int64_t, model::LayerPtr> layers_;
};

Result<sim::CandidateInfo> make(const std::string&) {
  sim::CandidateInfo info;
  info.make_series = [](const sim::CandidateContext&, const model::SeriesContext& context) -> Result<std::unique_ptr<sim::WeightSeries>> {
    return std::unique_ptr<sim::WeightSeries>(new EagerSeries(context));
  };
  return info;
}

}  // namespace
}  // namespace reloadlab::tests

RELOADLAB_CANDIDATE("shared_series", "", reloadlab::tests::make)
