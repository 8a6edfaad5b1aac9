#include <fmt/format.h>
#include <fmt/ranges.h>

#include "reference/base/check.h"
#include "reference/model/layer.h"

namespace reloadlab::model {
namespace {

thread_local LoaderListener* listener = nullptr;

Status load_by_default(Layer*, Parameter& destination, const at::Tensor& loaded, const LoadArgs&) {
  if (destination.tensor.numel() == 1 && loaded.numel() == 1) {
    destination.tensor.fill_(loaded.item());
    return {};
  }
  if (destination.tensor.sizes() != loaded.sizes()) {
    return Status(Code::failed, fmt::format("cannot load a tensor of shape [{}] into a parameter of shape [{}]",
                                            fmt::join(loaded.sizes(), ", "), fmt::join(destination.tensor.sizes(), ", ")));
  }
  destination.tensor.copy_(loaded);
  return {};
}

// A scalar is filled from the host.
Result<LoadBoxes> default_boxes(Layer*, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs&) {
  if (destination.numel() == 1 || destination.sizes() != loaded.sizes()) return Status(Code::unsupported, "it has to be called");
  return LoadBoxes{{destination, loaded}};
}

}  // namespace

LoaderScope::LoaderScope(LoaderListener& heard) : before_(std::exchange(listener, &heard)) {}
LoaderScope::~LoaderScope() { listener = before_; }

Status Loader::operator()(Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const {
  LayerPtr layer = is_method ? self.lock() : nullptr;
  if (is_method && !layer) return Status(Code::misuse, fmt::format("loader {} is a method that is bound to no living layer", name));
  Status outcome = function(layer.get(), destination, loaded, args);
  return listener && !wrapped ? listener->leave(*this, destination, outcome) : outcome;
}

LoaderPtr free_loader(std::string name, Loader::Function function, Loader::Boxes boxes) {
  return std::make_shared<const Loader>(Loader{.name = std::move(name), .function = std::move(function), .boxes = std::move(boxes)});
}

LoaderPtr method_loader(std::string name, Loader::Function function, const LayerPtr& self, Loader::Boxes boxes) {
  return std::make_shared<const Loader>(
      Loader{.name = std::move(name), .function = std::move(function), .is_method = true, .self = self, .boxes = std::move(boxes)});
}

LoaderPtr bind_loader(const LoaderPtr& loader, const LayerPtr& self) {
  if (!loader || !loader->is_method) return loader;
  Loader bound = *loader;
  bound.self = self;
  return std::make_shared<const Loader>(std::move(bound));
}

LoaderPtr unbind_loader(const LoaderPtr& loader) { return bind_loader(loader, nullptr); }

const LoaderPtr& default_weight_loader() {
  static const LoaderPtr loader = free_loader("default_weight_loader", load_by_default, default_boxes);
  return loader;
}

}  // namespace reloadlab::model
