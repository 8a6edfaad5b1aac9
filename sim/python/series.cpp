// A weight series that is a Python object.
#include "reference/base/check.h"
#include "sim/python/calls.h"
#include "sim/python/helpers.h"
#include "sim/python/reloader.h"

namespace reloadlab::python {
namespace {

class PythonSeries final : public sim::WeightSeries {
 public:
  PythonSeries(py::object instance, model::Model& model) : instance_(std::move(instance)), model_(model) {}
  ~PythonSeries() override {
    const py::gil_scoped_acquire gil;
    instance_ = py::object();
  }

  Status register_layer(const model::LayerPtr& layer, int64_t index) override {
    return on([&](const Mirror& mirror) { instance_.attr("register_layer")(mirror.module_of(*layer), index); });
  }
  Status finish_loading() override { return plainly("finish_loading"); }
  Status reach(int64_t index) override {
    return on([&](const Mirror&) { instance_.attr("reach")(index); });
  }
  Status wait(int64_t index) override {
    return on([&](const Mirror&) { instance_.attr("wait")(index); });
  }
  Status drain() override { return plainly("drain"); }
  Status reset() override { return plainly("reset"); }
  Status begin_reload(bool in_place) override {
    return on([&](const Mirror&) { instance_.attr("begin_reload")(in_place); });
  }
  Status reload() override { return plainly("reload"); }
  Status sleep(bool keeps_contents) override {
    return on([&](const Mirror&) { instance_.attr("sleep")(keeps_contents); });
  }
  Status wake() override { return plainly("wake"); }

 private:
  Status plainly(const char* method) {
    return on([&](const Mirror&) { instance_.attr(method)(); });
  }
  template <class Fn>
  Status on(Fn&& fn) {
    const py::gil_scoped_acquire gil;
    const std::shared_ptr<Mirror> mirror = Mirror::of(model_);
    mirror->candidate = instance_;
    return call(*mirror, [&] { fn(*mirror); });
  }

  py::object instance_;
  model::Model& model_;
};

py::object shown_series(const model::SeriesContext& series) {
  py::module_::import("torch.distributed");  // knows process groups
  return helpers().attr("Series")(series.name, py::cast(series.group), py::cast(series.device), series.prefetch);
}

}  // namespace

Result<std::unique_ptr<sim::WeightSeries>> make_series(const py::object& type, const Context& context, const model::SeriesContext& series) {
  RELOADLAB_CHECK(series.model, "a Python series is of a model");
  const py::gil_scoped_acquire gil;
  py::object instance;
  RELOADLAB_TRY(call_plainly(type, [&] { instance = type(py::cast(context), shown_series(series)); }));
  return std::unique_ptr<sim::WeightSeries>(new PythonSeries(std::move(instance), *series.model));
}

}  // namespace reloadlab::python
