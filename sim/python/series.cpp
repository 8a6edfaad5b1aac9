// A weight series that is a Python object.
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "reference/base/check.h"
#include "sim/python/helpers.h"
#include "sim/python/reloader.h"

namespace reloadlab::python {
namespace {

class PythonSeries final : public sim::WeightSeries {
 public:
  PythonSeries(Instance instance, model::Model& model) : instance_(std::move(instance)), model_(model) {
    const Gil gil;
    Mirror::of(model)->lets_go = false;
  }

  Status register_layer(const model::LayerPtr& layer, int64_t index) override {
    return instance_.on(
        model_, [&](const py::object& self, const Mirror& mirror) { self.attr("register_layer")(mirror.module_of(*layer), index); });
  }
  Status finish_loading() override { return on("finish_loading"); }
  Status reach(int64_t index) override { return on("reach", index); }
  Status wait(int64_t index) override { return on("wait", index); }
  Status drain() override { return on("drain"); }
  Status reset() override { return on("reset"); }
  Status begin_reload(bool in_place) override { return on("begin_reload", in_place); }
  Status reload() override { return on("reload"); }
  Status sleep(bool keeps_contents) override { return on("sleep", keeps_contents); }
  Status wake() override { return on("wake"); }

 private:
  template <class... More>
  Status on(const char* method, More... more) {
    return instance_.on(model_, [&](const py::object& self, const Mirror&) { self.attr(method)(more...); });
  }

  Instance instance_;
  model::Model& model_;
};

py::object shown_series(const model::SeriesContext& series) {
  py::module_::import("torch.distributed");  // knows process groups
  return helpers().attr("Series")(series.name, py::cast(series.group), py::cast(series.device), series.prefetch);
}

}  // namespace

std::unique_ptr<sim::WeightSeries> make_series(const Class& type, const Context& context, const model::SeriesContext& series) {
  RELOADLAB_CHECK(series.model, "a Python series is of a model");
  Instance instance(type, [context, series](const py::object& made) { return made(py::cast(context), shown_series(series)); });
  return std::make_unique<PythonSeries>(std::move(instance), *series.model);
}

}  // namespace reloadlab::python
