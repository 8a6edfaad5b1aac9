// A reloader to start from. It lets loads go straight into the live tensors, and says which parameters got none.
#include <reloadlab_candidate.h>

#include <set>

using namespace reloadlab;

namespace {

class Mine : public sim::Reloader {
 public:
  explicit Mine(const sim::CandidateContext& context) : observer_(context.observer) {}

  // Once, when the model has been constructed: what is needed of it later.
  Status record(model::Model&) override { return {}; }

  // An update begins: each parameter's loader is wrapped, so that its loads are heard of.
  Status prepare(model::Model& model) override {
    if (open_) return Status(Code::misuse, "an update is open");
    for (const model::LayerPtr& layer : model.layers())
      if (layer->spec.quant != "none") return Status(Code::unsupported, layer->path() + " is quantized");
    for (const model::LayerPtr& layer : model.layers())
      model::for_each_tensor(*layer, [&](const model::Slot& slot, bool is_parameter) {
        if (is_parameter && !before_.contains(slot.handle)) wrap(slot.handle);
      });
    open_ = true;
    return {};
  }

  // It ends: everything is as it was but the bytes, and what attention derives from them is derived again.
  Status finish(model::Model& model, const sim::FinishConfig&) override {
    if (!open_) return Status(Code::misuse, "no update is open");
    for (const model::LayerPtr& layer : model.layers()) {
      report(*layer);
      if (Status status = model::guarded([&] { return model::run_own_post_load(*layer); }); !status.ok()) return status;
    }
    for (const auto& [handle, loader] : before_) handle->loader = loader;
    before_.clear(), loaded_.clear(), open_ = false;
    return {};
  }

 private:
  void wrap(const model::ParameterPtr& handle) {
    const model::LoaderPtr own = before_[handle] = handle->loader;
    handle->loader =
        model::free_loader("mine", [this, own](model::Layer*, model::Parameter& to, const at::Tensor& loaded, const model::LoadArgs& args) {
          loaded_.insert(&to);
          return (own ? *own : *model::default_weight_loader())(to, loaded, args);
        });
  }

  void report(const model::Layer& layer) const {
    for (const model::Slot& slot : layer.parameters)
      if (slot.handle && !loaded_.contains(slot.handle.get()))
        observer_->on({.kind = model::EngineEventKind::missing, .layer = layer.path(), .slot = slot.name});
  }

  model::Observer* const observer_;
  std::map<model::ParameterPtr, model::LoaderPtr> before_;
  std::set<const model::Parameter*> loaded_;
  bool open_ = false;
};

Result<sim::CandidateInfo> make(const std::string&) {
  sim::CandidateInfo info;
  info.declared = {{"abort", "none"}, {"missing", "warn"}};  // what laws judge it by: candidate.h
  info.make_reloader = [](const sim::CandidateContext& context) -> Result<std::unique_ptr<sim::Reloader>> {
    return std::unique_ptr<sim::Reloader>(new Mine(context));
  };
  return info;
}

}  // namespace

RELOADLAB_CANDIDATE("layerwise", "", make)
