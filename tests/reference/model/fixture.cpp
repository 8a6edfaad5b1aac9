#include "tests/reference/model/fixture.h"

#include <ATen/ops/arange.h>

namespace reloadlab::model {

LayerSpec layer_of(std::string kind, Values values, std::string name, DType dtype) {
  LayerSpec spec{.name = std::move(name), .kind = std::move(kind), .dtype = dtype, .values = std::move(values)};
  fill_defaults(spec);
  return spec;
}

ModelSpec model_of(std::vector<LayerSpec> layers) { return {.dtype = DType::f32, .layers = std::move(layers)}; }

std::vector<Delivery> deliveries_of(const ModelSpec& spec) {
  std::vector<Delivery> all;
  for (const LayerSpec& layer : spec.layers)
    for (Delivery& delivery : find_layer_kind(layer.kind)->deliveries(layer)) all.push_back(std::move(delivery));
  return all;
}

Source numbered(const ModelSpec& spec) {
  std::map<std::string, int64_t> first;
  int64_t next = 1;
  for (const Delivery& delivery : deliveries_of(spec)) {
    first[delivery.name] = next;
    next += numel(delivery.shape);
  }
  return [first](const Delivery& delivery) {
    const int64_t begin = first.at(delivery.name);
    return at::arange(begin, begin + numel(delivery.shape), at::kLong).to(to_torch(delivery.dtype)).reshape(delivery.shape);
  };
}

Status load_one(Model& model, const Delivery& delivery, const at::Tensor& loaded) {
  LayerPtr layer = model.find(delivery.layer);
  ParameterPtr handle = layer->tensor(delivery.slot);
  const LoaderPtr& loader = handle->loader ? handle->loader : default_weight_loader();
  return guarded([&] { return (*loader)(*handle, loaded, {delivery.shard, delivery.expert, delivery.part}); });
}

Status load_all(Model& model, const Source& source) {
  for (const Delivery& delivery : deliveries_of(model.spec)) RELOADLAB_TRY(load_one(model, delivery, source(delivery)));
  return {};
}

std::unique_ptr<Model> cold(const ModelSpec& spec, TensorParallel tp, const Source& source) {
  const Status checked = check_model(spec, tp.size);
  EXPECT_TRUE(checked.ok()) << checked.message();
  std::unique_ptr<Model> model = build_model(spec, tp);
  const Status loaded = load_all(*model, source);
  EXPECT_TRUE(loaded.ok()) << loaded.message();
  return model;
}

std::unique_ptr<Model> cold(const ModelSpec& spec, TensorParallel tp) { return cold(spec, tp, numbered(spec)); }

Group cold_group(const ModelSpec& spec, int size, const Source& source) {
  Group group;
  for (int rank = 0; rank < size; ++rank) {
    group.owned.push_back(cold(spec, {rank, size}, source));
    group.ranks.push_back(group.owned.back().get());
  }
  return group;
}

std::vector<double> values_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kDouble).reshape(-1).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

const at::Tensor& tensor_at(const Model& model, std::string_view path) {
  ParameterPtr handle = model.find_tensor(path);
  EXPECT_TRUE(handle) << path;
  return handle->tensor;
}

}  // namespace reloadlab::model
