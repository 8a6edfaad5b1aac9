#pragma once
// An object of a candidate's class, which is made when it is first called: what goes wrong there goes wrong in that call.
#include "sim/python/mirror.h"

namespace reloadlab::python {

// Kept for the life of the process, as what was imported is.
using Class = std::shared_ptr<const py::object>;

// Its functions take the GIL.
class Instance {
 public:
  using Make = std::function<py::object(const py::object& type)>;
  Instance(Class type, Make make) : type_(std::move(type)), make_(std::move(make)) {}
  ~Instance();
  Instance(Instance&& other) noexcept;
  Instance& operator=(Instance&&) = delete;

  // Calls fn(object, mirror) as call() does.
  template <class Fn>
  Status on(model::Model& model, Fn&& fn) {
    return on_mirror(model, [&](const Mirror& mirror) { std::forward<Fn>(fn)(object_, mirror); });
  }
  bool unusable() const;

 private:
  Status on_mirror(model::Model& model, const std::function<void(const Mirror&)>& fn);

  Class type_;
  Make make_;
  py::object object_;  // null: not made yet
};

}  // namespace reloadlab::python
