#include "reference/model/architecture/forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <exception>

#include "reference/base/check.h"
#include "reference/base/prng.h"
#include "reference/model/architecture/lockstep.h"
#include "reference/model/device.h"
#include "reference/model/kinds/compute.h"

namespace reloadlab::model {
namespace {

std::vector<ForwardOutput> each_layer(std::span<Model* const> ranks, uint64_t seed, const Reduce& reduce) {
  const Lockstep lockstep(ranks, reduce);
  std::vector<ForwardOutput> outputs;
  for (const LayerPtr& layer : ranks.front()->layers()) {
    PerRank inputs;
    for (const Model* model : ranks) inputs.push_back(layer->kind->example_input(layer->spec, model->tp, seed ^ hash_name(layer->path())));
    outputs.push_back({layer->path(), lockstep.run(layer->path(), inputs)});
  }
  return outputs;
}

constexpr int64_t example_tokens = 12;

// Routing makes a forward of its own dear for architectures with experts: there each layer runs on its own example, as in a list.
struct OwnForward {
  std::string_view architecture;
  std::vector<ForwardOutput> (*forward)(std::span<Model* const>, const at::Tensor&, const Reduce&);
};
constexpr OwnForward forwards[] = {{"bert", bert_forward}, {"llama", llama_forward}};

}  // namespace

namespace {

// Where the layer's model lives: inputs and sums come from elsewhere. A model that is left on placeholders has no place.
c10::Device device_of(const Model& model) {
  for (const LayerPtr& layer : model.layers()) {
    std::optional<c10::Device> found;
    for_each_tensor(*layer, [&](const Slot& slot, bool) {
      if (!found && slot.handle->tensor.defined() && !slot.handle->tensor.is_meta()) found = slot.handle->tensor.device();
    });
    if (found) return *found;
  }
  return c10::Device(at::kCPU);
}

}  // namespace

Lockstep::Lockstep(std::span<Model* const> ranks, const Reduce& reduce) : ranks_(ranks), reduce_(reduce) {
  for (const Model* model : ranks) devices_.push_back(device_of(*model));
}

PerRank Lockstep::run(const std::string& path, const PerRank& inputs) const {
  PerRank results;
  bool partial = false;
  std::exception_ptr first;  // all ranks run the layer, as they would without each other, and then the forward fails
  for (size_t rank = 0; rank < size(); ++rank) {
    LayerPtr layer = ranks_[rank]->find(path);
    RELOADLAB_CHECK(layer, fmt::format("rank {} has no layer {}", rank, path));
    partial = layer->kind->is_partial(layer->spec);
    try {
      const DeviceScope scope(devices_[rank]);
      const Result<at::Tensor> result = run_layer(*layer, inputs[rank].to(devices_[rank]));
      TORCH_CHECK(result.ok(), path, ": ", result.status().message());
      results.push_back(*result);
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
  if (!partial) return results;
  const at::Tensor sum = reduce_(std::move(results));
  PerRank everywhere;
  for (const c10::Device device : devices_) everywhere.push_back(sum.to(device));
  return everywhere;
}

at::Tensor sum_in_rank_order(std::vector<at::Tensor> partials) {
  at::Tensor sum = partials.front();
  for (size_t rank = 1; rank < partials.size(); ++rank) sum = sum + partials[rank];
  return sum;
}

std::vector<ForwardOutput> run_forward(std::span<Model* const> ranks, uint64_t seed, const Reduce& reduce) {
  RELOADLAB_CHECK(!ranks.empty(), "a forward needs at least one rank");
  at::NoGradGuard no_grad;
  const ModelSpec& spec = ranks.front()->spec;
  for (const auto& [architecture, forward] : forwards) {
    if (spec.architecture != architecture) continue;
    return forward(ranks, example_indices(example_tokens, std::get<int64_t>(spec.values.find("vocab")->second), seed), reduce);
  }
  return each_layer(ranks, seed, reduce);
}

at::Tensor joined(const std::vector<ForwardOutput>& outputs, size_t rank) {
  std::vector<at::Tensor> flat;
  for (const ForwardOutput& output : outputs) flat.push_back(output.ranks[rank].reshape(-1));
  return at::cat(flat);
}

}  // namespace reloadlab::model
