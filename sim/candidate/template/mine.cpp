// A reloader to start from: loads go straight into the live tensors, and after an update that failed the model wants a whole one.
#include <reloadlab_candidate.h>

#include <set>

using namespace reloadlab;

namespace {

class Mine : public sim::Reloader {
 public:
  // Once, when the model has been constructed: what is needed of it later.
  Status record(model::Model&) override { return {}; }

  // An update begins. Each parameter's loader is wrapped, so that its loads are heard of.
  Status prepare(model::Model& model) override {
    if (!before_.empty()) return Status(Code::misuse, "an update is open");
    for (const model::LayerPtr& layer : model.layers())
      if (layer->spec.quant != "none") return Status(Code::unsupported, layer->path() + " is quantized");
    for (const model::LayerPtr& layer : model.layers())
      model::for_each_tensor(*layer, [&](const model::Slot& slot, bool is_parameter) {
        if (is_parameter && !before_.contains(slot.handle)) wrap(slot.handle);
      });
    return {};
  }

  // It ends: all but the bytes is as it was, and what layers derive from them is derived again.
  Status finish(model::Model& model, const sim::FinishConfig&) override {
    if (before_.empty()) return Status(Code::misuse, "no update is open");
    Status status;
    for (const model::LayerPtr& layer : model.layers())
      if (status.ok()) status = model::guarded([&] { return model::run_own_post_load(*layer); });
    unusable_ = !status.ok() || (unusable_ && loaded_.size() < before_.size());
    unwrap();
    return status;
  }

  Status abort(model::Model&) override {
    unusable_ = true;
    unwrap();
    return {};
  }
  bool unusable() const override { return unusable_; }

 private:
  void wrap(const model::ParameterPtr& handle) {
    const model::LoaderPtr own = before_[handle] = handle->loader;
    handle->loader =
        model::free_loader("mine", [this, own](model::Layer*, model::Parameter& to, const at::Tensor& loaded, const model::LoadArgs& args) {
          loaded_.insert(&to);
          return (own ? *own : *model::default_weight_loader())(to, loaded, args);
        });
  }
  void unwrap() {
    for (const auto& [handle, own] : before_) handle->loader = own;
    before_.clear(), loaded_.clear();
  }

  std::map<model::ParameterPtr, model::LoaderPtr> before_;  // the loaders of an update's parameters; empty: none is open
  std::set<const model::Parameter*> loaded_;
  bool unusable_ = false;
};

Result<sim::CandidateInfo> make(const std::string&) {
  sim::CandidateInfo info{.declared = {{"abort", "unusable"}, {"landing", "direct"}}};  // laws judge by it
  info.make_reloader = [](const sim::CandidateContext&) -> Result<std::unique_ptr<sim::Reloader>> {
    return std::unique_ptr<sim::Reloader>(new Mine);
  };
  return info;
}

}  // namespace

RELOADLAB_CANDIDATE("layerwise", "", make)
