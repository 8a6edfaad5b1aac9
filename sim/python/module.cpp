// The extension _reloadlab: the whole program as a Python module.
#include <c10/util/Logging.h>
#include <malloc.h>
#include <torch/version.h>

#include "reference/base/program.h"
#include "reference/model/post_load.h"
#include "sim/candidate/python.h"
#include "sim/cli/program.h"
#include "sim/python/attach_module.h"
#include "sim/python/callables.h"
#include "sim/python/calls.h"
#include "sim/python/find.h"
#include "sim/python/gate_module.h"
#include "sim/replay/beside.h"
#include "sim/scenario/scenario.h"
#include "sim/world/modelled/baton.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::python {
namespace {

// A rank that waits for its turn lets the others have the interpreter.
void* leave_python() { return Py_IsInitialized() && PyGILState_Check() ? PyEval_SaveThread() : nullptr; }
void come_back_to_python(void* state) {
  if (state) PyEval_RestoreThread(static_cast<PyThreadState*>(state));
}

// What only waits for Python's collector is neither held nor leaked: when that runs by itself is nobody's deed.
void show_to_python(model::Model& model) {
  const Gil gil;
  const std::shared_ptr<Mirror> mirror = Mirror::of(model);
  mirror->show();
  PyGC_Collect();
  mirror->forget_the_dead();
}

// What an error of Torch's was thrown from nobody prints, and in a suspended call (a greenlet) to walk the stack down is to walk off it.
void no_native_traces() {
  c10::SetStackTraceFetcher([] { return std::string(); });
}

int run_main(const std::string& name, std::vector<std::string> words, const std::vector<std::string>& command) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // as the program does
  mallopt(M_TOP_PAD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  words.insert(words.begin(), name);
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  argv.push_back(nullptr);
  hosted_by(command);
  sim::host_python(find_class);
  sim::follow_models_by(show_to_python);
  no_native_traces();
  sim::modelled::give_away_while_waiting({leave_python, come_back_to_python});
  mutants::register_mutants();
  sim::Engine engine = sim::built_in_engine();
  engine.stands = [] {
    const Gil gil;
    return py::module_::import("reloadlab.stands").attr("where")().cast<std::string>();
  };
  const py::gil_scoped_release released;
  return sim::run_program(static_cast<int>(words.size()), argv.data(), engine);
}

// A layer whose model is gone has nothing to run.
template <class Fn>
void on_layer(const LayerRef& self, Fn&& fn) {
  const model::LayerPtr layer = self.layer.lock();
  const std::shared_ptr<Mirror> mirror = self.mirror.lock();
  if (!layer || !mirror) return raise(Status(Code::misuse, "the model of this layer is gone"));
  raise(run_for_python([&] { return mirror->substrate([&]() -> Status { return fn(*layer); }); }));
}

void post_load(const LayerRef& self) {
  on_layer(self, [&](model::Layer& layer) {
    const std::shared_ptr<model::QuantMethod> own = self.mirror.lock()->own_step(layer);
    return own ? own->process_weights_after_loading(layer) : Status();
  });
}

// Nothing where the harness has begun none of this layer.
void own_forward(const LayerRef& self) {
  const std::shared_ptr<Mirror> mirror = self.mirror.lock();
  OwnForward* const own = mirror ? mirror->forward : nullptr;
  if (!own || own->layer != self.layer.lock().get()) return;
  if (std::exchange(own->ran, true)) return raise(Status(Code::misuse, "a forward calls the layer's own twice"));
  on_layer(self, [&](model::Layer&) { return own->run(); });
}

void own_post_load(const LayerRef& self) { on_layer(self, model::run_own_post_load); }

std::map<std::string, at::Tensor> extra_tensors(const LayerRef& self) {
  const model::LayerPtr layer = self.layer.lock();
  return layer ? layer->extra.tensors : std::map<std::string, at::Tensor>();
}

// Stands for a layer or a parameter that outlived its model, and is counted as one.
struct LeftLayer {
  model::Counted<model::Layer> counted;
};
struct LeftParameter {
  model::Counted<model::Parameter> counted;
};

}  // namespace
}  // namespace reloadlab::python

PYBIND11_MODULE(_reloadlab, module) {
  using namespace reloadlab::python;  // NOLINT(google-build-using-namespace)
  py::class_<LayerRef>(module, "LayerRef")
      .def("post_load", &post_load)
      .def("own_post_load", &own_post_load)
      .def("own_forward", &own_forward)
      .def_property_readonly("extra_tensors", &extra_tensors);
  py::class_<NativeLoader>(module, "NativeLoader").def("__call__", &NativeLoader::operator());
  py::class_<LeftLayer>(module, "LeftLayer").def(py::init<>());
  py::class_<LeftParameter>(module, "LeftParameter").def(py::init<>());
  py::class_<Context>(module, "Context")
      .def_property_readonly("rank", [](const Context& self) { return self.context.rank; })
      .def_property_readonly("ranks", [](const Context& self) { return self.context.ranks; })
      .def_property_readonly("transport_reuses_buffers", [](const Context& self) { return self.context.transport_reuses_buffers; })
      .def_property_readonly("extra_bytes_limit", [](const Context& self) { return self.context.extra_bytes_limit; })
      .def("report", &Context::report, py::arg("kind"), py::arg("layer") = "", py::arg("slot") = "", py::arg("numel") = 0,
           py::arg("detail") = "");
  module.def("default_loader", [] { return NativeLoader{reloadlab::model::default_weight_loader()}; });
  module.def("current_candidate", [] { return current() ? current()->candidate : py::object(py::none()); });
  module.def("main", &run_main);
  module.def("supply_scenarios", [](const std::string& folder) { reloadlab::sim::supply_scenarios(folder); });
  reloadlab::sim::add_attach(module);
  reloadlab::sim::add_gate(module);
  module.attr("torch_version") = TORCH_VERSION;
}
