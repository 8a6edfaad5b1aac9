#include "tests/mutants/wrappers.h"

#include <ATen/ops/empty_like.h>

#include "tests/mutants/plain_reloader.h"

namespace reloadlab::mutants {
namespace {

class NothingReceived final : public sim::Reloader {
 public:
  explicit NothingReceived(const sim::CandidateContext& context) : inner_(Wrong::none, context) {}

  Status record(model::Model& model) override { return inner_.record(model); }
  Status finish(model::Model& model, const sim::FinishConfig& config) override { return inner_.finish(model, config); }
  Status abort(model::Model& model) override { return inner_.abort(model); }

  Status prepare(model::Model& model) override {
    RELOADLAB_TRY(inner_.prepare(model));
    for (const model::LayerPtr& layer : model.layers())
      model::for_each_tensor(*layer, [](const model::Slot& slot, bool) {
        if (slot.handle->loader && slot.handle->loader->wrapped) take_no_content(*slot.handle);
      });
    return {};
  }

 private:
  static void take_no_content(model::Parameter& placeholder) {
    auto loader = std::make_shared<model::Loader>(*placeholder.loader);
    loader->function = [inner = loader->function](model::Layer* self, model::Parameter& destination, const at::Tensor& loaded,
                                                  const model::LoadArgs& args) {
      return inner(self, destination, at::empty_like(loaded), args);
    };
    placeholder.loader = std::move(loader);
  }

  PlainReloader inner_;
};

}  // namespace

std::unique_ptr<sim::Reloader> nothing_received(const sim::CandidateContext& context) { return std::make_unique<NothingReceived>(context); }

}  // namespace reloadlab::mutants
