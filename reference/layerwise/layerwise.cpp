#include "reference/layerwise/layerwise.h"

#include "reference/layerwise/core.h"
#include "reference/layerwise/learn.h"
#include "reference/layerwise/load.h"
#include "reference/layerwise/shadow.h"
#include "reference/layerwise/sleep.h"
#include "reference/model/guard.h"

namespace reloadlab::layerwise {

LayerwiseReload::LayerwiseReload(const LayerwisePolicy& policy, const LayerwiseOptions& options)
    : core_(std::make_shared<Core>(policy, options)) {}

// Wrappers that keep their layer are taken off, or model and wrapper would keep each other for ever.
LayerwiseReload::~LayerwiseReload() {
  core_->closed = true;
  for (const auto& wrapped : core_->wrapped)
    if (model::ParameterPtr handle = wrapped.lock()) handle->loader = unwrapped(handle->loader);
  core_->registry.clear();
  core_->kept_update.reset();
}

Status LayerwiseReload::record(model::Model& model) {
  return model::guarded([&] { return layerwise::record(*core_, model); });
}

Status LayerwiseReload::first_load_done(model::Model& model) {
  return model::guarded([&] {
    if (core_->first_load) shadow_first_load(*core_, model);
    stop_learning(*core_, model);
    return Status();
  });
}

Status LayerwiseReload::prepare(model::Model& model) {
  const NoGradients none;
  return model::guarded([&] { return layerwise::prepare(*core_, model); });
}

Status LayerwiseReload::finish(model::Model& model, DType) {
  const SettingsScope settings(*core_);
  const NoGradients none;
  return model::guarded([&] { return layerwise::finish(*core_, model); });
}

Status LayerwiseReload::abort(model::Model& model) {
  const NoGradients none;
  return model::guarded([&] { return layerwise::abort(*core_, model); });
}

Status LayerwiseReload::sleep(model::Model& model, bool keeps_contents) {
  const NoGradients none;
  return model::guarded([&] { return layerwise::sleep(*core_, model, keeps_contents); });
}

Status LayerwiseReload::wake(model::Model& model) {
  const NoGradients none;
  return model::guarded([&] { return layerwise::wake(*core_, model); });
}

bool LayerwiseReload::unusable() const { return core_->unusable(); }

size_t LayerwiseReload::registered_layers() const { return core_->registry.size(); }

}  // namespace reloadlab::layerwise
