#include "sim/python/instance.h"

#include "sim/python/calls.h"

namespace reloadlab::python {

Instance::Instance(Instance&& other) noexcept
    : type_(std::move(other.type_)), make_(std::move(other.make_)), object_(std::move(other.object_)) {}

Instance::~Instance() {
  if (!object_) return;
  const Gil gil;
  object_ = py::object();
}

Status Instance::on_mirror(model::Model& model, const std::function<void(const Mirror&)>& fn) {
  const Gil gil;
  const std::shared_ptr<Mirror> mirror = Mirror::of(model);
  mirror->candidate = object_ ? object_ : *type_;
  return call(*mirror, [&] {
    if (!object_) mirror->candidate = object_ = make_(*type_);
    fn(*mirror);
  });
}

bool Instance::unusable() const {
  const Gil gil;
  return object_ && object_.attr("unusable")().cast<bool>();
}

}  // namespace reloadlab::python
