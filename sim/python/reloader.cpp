#include "sim/python/reloader.h"

#include "reference/model/device.h"
#include "sim/python/instance.h"

namespace reloadlab::python {
namespace {

// What an argument is made of where there is an interpreter to make it in.
auto shown_dtype(DType dtype) {
  return [dtype] { return py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(torch::getTHPDtype(model::to_torch(dtype)))); };
}
auto shown_bool(bool value) {
  return [value] { return py::bool_(value); };
}

class PythonReloader final : public sim::Reloader {
 public:
  explicit PythonReloader(Instance instance) : instance_(std::move(instance)) {}

  Status record(model::Model& model) override { return on(model, "record"); }
  Status before_post_load(model::Model& model) override { return on(model, "before_post_load"); }
  Status prepare(model::Model& model) override { return on(model, "prepare"); }
  Status finish(model::Model& model, const sim::FinishConfig& config) override { return on(model, "finish", shown_dtype(config.dtype)); }
  Status abort(model::Model& model) override { return on(model, "abort"); }
  Status sleep(model::Model& model, bool keeps_contents) override { return on(model, "sleep", shown_bool(keeps_contents)); }
  Status wake(model::Model& model) override { return on(model, "wake"); }
  bool unusable() const override { return instance_.unusable(); }

 private:
  template <class... More>
  Status on(model::Model& model, const char* method, const More&... more) {
    return instance_.on(model, [&](const py::object& self, const Mirror& mirror) { self.attr(method)(mirror.root(), more()...); });
  }

  Instance instance_;
};

}  // namespace

std::unique_ptr<sim::Reloader> make_reloader(const Class& type, const Context& context) {
  return std::make_unique<PythonReloader>(Instance(type, [context](const py::object& made) { return made(py::cast(context)); }));
}

}  // namespace reloadlab::python
