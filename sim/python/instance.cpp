#include "sim/python/instance.h"

#include <stdexcept>

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
  bool says = false;
  if (!object_) return says;
  const Status asked = call(object_, [&] { says = static_cast<bool>(py::bool_(object_.attr("unusable")())); });
  if (!asked.ok()) throw std::runtime_error(asked.message());  // a refusal is no answer
  return says;
}

}  // namespace reloadlab::python
