#pragma once
// scope=model: rules OQ1-OQ6 as they stand. Parameters only; buffers are not restored.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reference/online_quant/online_quant.h"

namespace reloadlab::online_quant {

class WholeModel final : public OnlineQuantReload {
 public:
  explicit WholeModel(const OnlineQuantPolicy& policy) : policy_(policy) {}

  Status record(model::Model&) override { return {}; }
  Status first_load_done(model::Model& model) override;
  Status prepare(model::Model& model) override;
  Status finish(model::Model& model, DType dtype) override;
  Status abort(model::Model&) override;
  Status sleep(model::Model&, bool) override { return {}; }
  Status wake(model::Model&) override { return {}; }
  bool unusable() const override { return false; }

 private:
  // A parameter as it was before the first post-load step.
  struct Recorded {
    std::string layer, slot;
    size_t first_of_tie;  // index of the first name that shares its tensor; its own when there is none
    std::vector<int64_t> shape;
    at::ScalarType dtype;
    at::Device device;
    Values attributes;
    model::LoaderPtr loader;
    std::string path() const { return layer + "." + slot; }
  };

  Status record_parameters(const model::Model& model);
  Status restore_parameters(model::Model& model);
  Status restore_attributes(model::Model& model);
  std::vector<model::ParameterPtr> bound_originals() const;
  bool binds(const model::LoaderPtr& recorded) const;
  model::LoaderPtr restored_loader(const model::LoaderPtr& recorded) const;
  Status open_until(const std::function<Status()>& fails);
  void give_up();
  Status process_again(model::Model& model) const;
  Status copy_back(model::Model& model);
  Status copy_back_one(model::Layer& layer, const std::string& slot, const model::ParameterPtr& original) const;

  OnlineQuantPolicy policy_;
  bool recorded_ = false, open_ = false;
  std::vector<Recorded> parameters_;
  // From prepare to finish or abort.
  std::map<std::string, model::ParameterPtr> originals_;  // by path
  std::vector<model::ParameterPtr> held_;                 // restored=held, until a collector comes
};

}  // namespace reloadlab::online_quant
