// Our layerwise reload of a mixture-of-experts model, timed for a script that times others' in the same process.
#include <ATen/ops/zeros.h>
#include <torch/csrc/utils/pybind.h>

#include <chrono>

#include "reference/layerwise/layerwise.h"
#include "reference/model/kind.h"

namespace py = pybind11;

namespace reloadlab::bench {
namespace {

struct Load {
  model::Layer* layer;
  std::string slot;
  model::LoadArgs args;
  at::Tensor source;
};

void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

model::ModelSpec spec_of(int64_t blocks, int64_t experts, int64_t hidden, int64_t intermediate, int64_t norms) {
  model::ModelSpec spec;
  for (int64_t block = 0; block < blocks; ++block) {
    const std::string name = "layers." + std::to_string(block);
    spec.layers.push_back({.name = name + ".mlp", .kind = "fused_experts"});
    spec.layers.back().values = {{"hidden", hidden}, {"intermediate", intermediate}, {"experts", experts}};
    for (int64_t norm = 0; norm < norms; ++norm) {
      spec.layers.push_back({.name = name + ".norm" + std::to_string(norm), .kind = "norm"});
      spec.layers.back().values = {{"hidden", hidden}};
    }
  }
  for (model::LayerSpec& layer : spec.layers) model::fill_defaults(layer);
  return spec;
}

std::vector<Load> loads_of(const model::ModelSpec& spec, const model::Model& model) {
  std::vector<Load> loads;
  for (const model::LayerSpec& layer : spec.layers)
    for (const model::Delivery& delivery : model::find_layer_kind(layer.kind)->deliveries(layer))
      loads.push_back({model.find(layer.name).get(),
                       delivery.slot,
                       {.shard = delivery.shard, .expert = delivery.expert, .part = delivery.part},
                       at::zeros(delivery.shape, at::kBFloat16)});
  return loads;
}

template <class Fn>
double nanoseconds(Fn&& fn) {
  const auto begin = std::chrono::steady_clock::now();
  fn();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

void send(const std::vector<Load>& loads) {
  for (const Load& load : loads) {
    const model::ParameterPtr handle = load.layer->tensor(load.slot);
    const model::LoaderPtr& loader = handle->loader ? handle->loader : model::default_weight_loader();
    must((*loader)(*handle, load.source, load.args));
  }
}

// One reload at a time, so that a script can take turns.
class Engine {
 public:
  Engine(const std::string& profile, int64_t blocks, int64_t experts, int64_t hidden, int64_t intermediate, int64_t norms)
      : spec_(spec_of(blocks, experts, hidden, intermediate, norms)),
        model_(model::build_model(spec_, {})),
        loads_(loads_of(spec_, *model_)),
        engine_(profile == "seed" ? layerwise::LayerwisePolicy::seed() : layerwise::LayerwisePolicy::hardened(), {}) {
    must(engine_.record(*model_));
  }

  py::tuple reload() {
    const auto layers = static_cast<double>(spec_.layers.size());
    const double prepare = nanoseconds([&] { must(engine_.prepare(*model_)); });
    const double load = nanoseconds([&] { send(loads_); });
    const double finish = nanoseconds([&] { must(engine_.finish(*model_, DType::bf16)); });
    return py::make_tuple(prepare / layers, load / static_cast<double>(loads_.size()), finish / layers);
  }

 private:
  model::ModelSpec spec_;
  std::unique_ptr<model::Model> model_;
  std::vector<Load> loads_;
  layerwise::LayerwiseReload engine_;
};

}  // namespace
}  // namespace reloadlab::bench

PYBIND11_MODULE(engines, module) {
  using reloadlab::bench::Engine;
  py::class_<Engine>(module, "Engine")
      .def(py::init<const std::string&, int64_t, int64_t, int64_t, int64_t, int64_t>(), py::arg("profile"), py::arg("blocks"),
           py::arg("experts"), py::arg("hidden"), py::arg("intermediate"), py::arg("norms"))
      .def("reload", &Engine::reload);
}
