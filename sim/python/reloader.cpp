#include "sim/python/reloader.h"

#include "reference/model/device.h"
#include "sim/python/calls.h"
#include "sim/python/helpers.h"

namespace reloadlab::python {
namespace {

py::object shown_dtype(DType dtype) {
  return py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(torch::getTHPDtype(model::to_torch(dtype))));
}

class PythonReloader final : public sim::Reloader {
 public:
  explicit PythonReloader(py::object instance) : instance_(std::move(instance)) {}
  ~PythonReloader() override {
    const py::gil_scoped_acquire gil;
    instance_ = py::object();
  }

  Status record(model::Model& model) override { return on(model, "record"); }
  Status before_post_load(model::Model& model) override { return on(model, "before_post_load"); }
  Status prepare(model::Model& model) override { return on(model, "prepare"); }
  Status finish(model::Model& model, const sim::FinishConfig& config) override { return on(model, "finish", shown_dtype, config.dtype); }
  Status abort(model::Model& model) override { return on(model, "abort"); }
  Status sleep(model::Model& model, bool keeps_contents) override {
    return on(
        model, "sleep", [](bool keeps) { return py::bool_(keeps); }, keeps_contents);
  }
  Status wake(model::Model& model) override { return on(model, "wake"); }
  bool unusable() const override {
    const py::gil_scoped_acquire gil;
    return helpers().attr("is_unusable")(instance_).cast<bool>();
  }

 private:
  Status on(model::Model& model, const char* method) {
    const py::gil_scoped_acquire gil;
    Mirror& mirror = mine(model);
    return call(mirror, [&] { instance_.attr(method)(mirror.root()); });
  }
  template <class Show, class Value>
  Status on(model::Model& model, const char* method, Show show, const Value& value) {
    const py::gil_scoped_acquire gil;
    Mirror& mirror = mine(model);
    return call(mirror, [&] { instance_.attr(method)(mirror.root(), show(value)); });
  }
  Mirror& mine(model::Model& model) const {
    const std::shared_ptr<Mirror> mirror = Mirror::of(model);
    mirror->candidate = instance_;
    return *mirror;
  }

  py::object instance_;
};

}  // namespace

Result<std::unique_ptr<sim::Reloader>> make_reloader(const py::object& type, const Context& context) {
  const py::gil_scoped_acquire gil;
  py::object instance;
  RELOADLAB_TRY(call_plainly(type, [&] { instance = type(py::cast(context)); }));
  return std::unique_ptr<sim::Reloader>(new PythonReloader(std::move(instance)));
}

}  // namespace reloadlab::python
