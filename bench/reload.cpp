// A whole reload of a mixture-of-experts model, 48 layers of 393 loads (18,864 in all): on meta with the sizes of Qwen3-30B-A3B, and
// on the CPU with small tensors. Against a plain loop that makes the same copies into the same tensors, and split into prepare,
// loads and finish.
#include "bench/contest.h"
#include "reference/layerwise/layerwise.h"
#include "reference/model/device.h"

namespace reloadlab::bench {
namespace {

using layerwise::LayerwisePolicy;
using layerwise::LayerwiseReload;

struct Sizes {
  int64_t layers, experts, hidden, intermediate;
};

Sizes sizes_of(c10::Device device) {
  if (tiny()) return {2, 4, 8, 4};
  return device.is_meta() ? Sizes{48, 128, 2048, 768} : Sizes{48, 128, 8, 4};
}

struct Load {
  model::Layer* layer;
  std::string slot;
  model::LoadArgs args;
  at::Tensor source;
  at::Tensor target;  // the view of the weight that the loader writes
};

at::Tensor target_of(const at::Tensor& weight, const model::LoadArgs& args) {
  at::Tensor target = args.expert ? weight.select(0, *args.expert) : weight;
  if (!args.shard) return target;
  const int64_t half = target.size(0) / 2;
  return target.narrow(0, *args.shard == "w3" ? half : 0, half);
}

Status load_expert(model::Layer*, model::Parameter& to, const at::Tensor& from, const model::LoadArgs& args) {
  target_of(to.tensor, args).copy_(from);
  return {};
}

// 128 experts of three weights each, and nine tensors of their own.
class Moe {
 public:
  explicit Moe(c10::Device where) : device(where), sizes(sizes_of(where)) {
    model::DeviceScope scope(device);
    model.root = std::make_shared<model::Layer>(model::LayerSpec{.kind = "model"}, "Model");
    for (int64_t i = 0; i < sizes.layers; ++i) add_layer("layers." + std::to_string(i));
  }

  int64_t layer_count() const { return static_cast<int64_t>(model.root->children.size()); }
  int64_t load_count() const { return static_cast<int64_t>(loads.size()); }

  // A slice is a layer's loads.
  std::span<const Load> part(size_t slice) const {
    return std::span(loads).subspan(slice * loads.size() / slices(), loads.size() / slices());
  }
  size_t slices() const { return static_cast<size_t>(sizes.layers); }
  void copy_plainly(size_t slice) {
    for (const Load& load : part(slice)) load.target.copy_(load.source);
  }
  void send(size_t slice) {
    for (const Load& load : part(slice)) {
      const model::ParameterPtr handle = load.layer->tensor(load.slot);
      const model::LoaderPtr& loader = handle->loader ? handle->loader : model::default_weight_loader();
      benchmark::DoNotOptimize((*loader)(*handle, load.source, load.args).ok());
    }
  }

  c10::Device device;
  Sizes sizes;
  model::Model model;
  std::vector<Load> loads;

 private:
  at::Tensor fresh(at::IntArrayRef shape) const { return at::zeros(shape, at::TensorOptions(at::kBFloat16).device(device)); }

  void add_layer(const std::string& name) {
    const int64_t h = sizes.hidden, i = sizes.intermediate, e = sizes.experts;
    auto experts = std::make_shared<model::Layer>(model::LayerSpec{.name = name + ".experts", .kind = "bench"}, "FusedMoE");
    add(experts, "w13", {e, 2 * i, h});
    add(experts, "w2", {e, h, i});
    for (int64_t expert = 0; expert < e; ++expert) {
      expect(*experts, "w13", {.shard = "w1", .expert = expert}, {i, h});
      expect(*experts, "w13", {.shard = "w3", .expert = expert}, {i, h});
      expect(*experts, "w2", {.expert = expert}, {h, i});
    }
    model.root->children.push_back(experts);
    for (int64_t own = 0; own < 9; ++own) {
      auto layer = std::make_shared<model::Layer>(model::LayerSpec{.name = name + ".own" + std::to_string(own), .kind = "bench"}, "Norm");
      add(layer, "weight", {h});
      expect(*layer, "weight", {}, {h});
      model.root->children.push_back(layer);
    }
  }
  void add(const model::LayerPtr& layer, const std::string& slot, std::vector<int64_t> shape) {
    auto handle = std::make_shared<model::Parameter>(model::Parameter{.tensor = fresh(shape)});
    handle->loader = model::free_loader("weight_loader", load_expert);
    layer->parameters.set(slot, handle);
  }
  void expect(model::Layer& layer, const std::string& slot, model::LoadArgs args, std::vector<int64_t> shape) {
    loads.push_back({&layer, slot, args, fresh(shape), target_of(layer.tensor(slot)->tensor, args)});
  }
};

void add_engine(Contest& contest, Moe& moe, const std::string& name, const LayerwisePolicy& policy) {
  auto engine = std::make_shared<LayerwiseReload>(policy, layerwise::LayerwiseOptions{});
  (void)engine->record(moe.model);
  auto must = [](const Status& status) {
    if (!status.ok()) throw std::runtime_error(status.message());
  };
  auto prepare = [=, &moe](size_t) { must(engine->prepare(moe.model)); };
  auto finish = [=, &moe](size_t) { must(engine->finish(moe.model, DType::bf16)); };
  contest.add({.name = name + "_prepare", .loads = moe.layer_count(), .run = prepare});
  contest.add(
      {.name = name + "_loads", .loads = moe.load_count(), .slices = moe.slices(), .run = [&moe](size_t slice) { moe.send(slice); }});
  contest.add({.name = name + "_finish", .loads = moe.layer_count(), .run = finish});
  const size_t last = moe.slices() + 1;
  contest.add({.name = name, .loads = moe.load_count(), .slices = last + 1, .run = [=, &moe](size_t slice) {
                 slice == 0 ? prepare(0) : slice == last ? finish(0) : moe.send(slice - 1);
               }});
}

// Counters "ns:x_prepare" and "ns:x_finish" are a layer's, all others a load's.
void reload(benchmark::State& state, c10::Device device) {
  model::DeviceScope scope(device);
  Moe plain(device), seed(device), hardened(device);
  Contest contest;
  contest.add(
      {.name = "copies", .loads = plain.load_count(), .slices = plain.slices(), .run = [&](size_t slice) { plain.copy_plainly(slice); }});
  contest.add({.name = "loaders", .loads = plain.load_count(), .slices = plain.slices(), .run = [&](size_t slice) { plain.send(slice); }});
  add_engine(contest, seed, "seed", LayerwisePolicy::seed());
  add_engine(contest, hardened, "hardened", LayerwisePolicy::hardened());
  for (auto _ : state) contest.pass(state);
  contest.report(state);
  for (const char* name : {"loaders", "seed", "hardened"}) contest.report_ratio(state, name, "copies");
  state.counters["loads"] = static_cast<double>(plain.load_count());
}

BENCHMARK_CAPTURE(reload, meta, c10::Device(at::kMeta))->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(reload, cpu, c10::Device(at::kCPU))->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reloadlab::bench

BENCHMARK_MAIN();
