// A whole reload of a mixture-of-experts model, 48 layers of 393 loads (18,864 in all): on meta with the sizes of Qwen3-30B-A3B, and
// on the CPU with small tensors. Layers have a loader of three lines, or are the substrate's fused experts. Against a plain loop that makes
// the same copies into the same tensors, and split into prepare, loads and finish.
#include <ATen/ops/zeros.h>

#include "bench/contest.h"
#include "reference/base/check.h"
#include "reference/layerwise/layerwise.h"
#include "reference/model/device.h"
#include "reference/model/kind.h"

namespace reloadlab::bench {
namespace {

using layerwise::LayerwisePolicy;
using layerwise::LayerwiseReload;

constexpr int64_t own_tensors = 9;  // of a layer

struct Sizes {
  int64_t layers, experts, hidden, intermediate;
};

Sizes sizes_of(c10::Device device) {
  if (tiny()) return {2, 4, 8, 4};
  return device.is_meta() ? Sizes{48, 128, 2048, 768} : Sizes{48, 128, 8, 4};
}

// A view of what comes, and the view of the weight that it goes to.
struct Copy {
  at::Tensor source, target;
};

struct Load {
  model::Layer* layer;
  std::string slot;
  model::LoadArgs args;
  at::Tensor source;
  std::vector<Copy> copies;  // what the loader does on this rank
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

at::Tensor fresh(at::IntArrayRef shape) { return at::zeros(shape, at::TensorOptions(at::kBFloat16).device(model::default_device())); }

// Where the loads of a model come from, and their tensors.
struct Model {
  std::unique_ptr<model::Model> model;
  std::vector<Load> loads;
};

// The least that layers can be: stacks whose loader narrows and copies.
class Plain {
 public:
  static Model make(const Sizes& sizes) {
    Plain plain;
    plain.made_.model = std::make_unique<model::Model>();
    plain.made_.model->root = std::make_shared<model::Layer>(model::LayerSpec{.kind = "model"}, "Model");
    for (int64_t i = 0; i < sizes.layers; ++i) plain.add_layer("layers." + std::to_string(i), sizes);
    return std::move(plain.made_);
  }

 private:
  void add_layer(const std::string& name, const Sizes& sizes) {
    const int64_t h = sizes.hidden, i = sizes.intermediate, e = sizes.experts;
    auto experts = std::make_shared<model::Layer>(model::LayerSpec{.name = name + ".experts", .kind = "bench"}, "FusedMoE");
    add(experts, "w13", {e, 2 * i, h});
    add(experts, "w2", {e, h, i});
    for (int64_t expert = 0; expert < e; ++expert) {
      expect(*experts, "w13", {.shard = "w1", .expert = expert}, {i, h});
      expect(*experts, "w13", {.shard = "w3", .expert = expert}, {i, h});
      expect(*experts, "w2", {.expert = expert}, {h, i});
    }
    made_.model->root->children.push_back(experts);
    for (int64_t own = 0; own < own_tensors; ++own) {
      auto layer = std::make_shared<model::Layer>(model::LayerSpec{.name = name + ".own" + std::to_string(own), .kind = "bench"}, "Norm");
      add(layer, "weight", {h});
      expect(*layer, "weight", {}, {h});
      made_.model->root->children.push_back(layer);
    }
  }
  void add(const model::LayerPtr& layer, const std::string& slot, std::vector<int64_t> shape) {
    auto handle = std::make_shared<model::Parameter>(model::Parameter{.tensor = fresh(shape)});
    handle->loader = model::free_loader("weight_loader", load_expert);
    layer->parameters.set(slot, handle);
  }
  void expect(model::Layer& layer, const std::string& slot, model::LoadArgs args, std::vector<int64_t> shape) {
    const at::Tensor source = fresh(shape);
    made_.loads.push_back({&layer, slot, args, source, {{source, target_of(layer.tensor(slot)->tensor, args)}}});
  }
  Model made_;
};

// Layers of the substrate, with its loaders: whole experts on one rank, or one rank of several whose experts are dealt out in turn, some
// at two places, and to which every load comes.
model::ModelSpec fused_spec(const Sizes& sizes, int ranks) {
  model::ModelSpec spec;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string name = "layers." + std::to_string(i);
    spec.layers.push_back({.name = name + ".mlp", .kind = "fused_experts"});
    spec.layers.back().values = {{"hidden", sizes.hidden}, {"intermediate", sizes.intermediate}, {"experts", sizes.experts}};
    if (ranks > 1)
      spec.layers.back().values.merge(
          Values{{"parallel", std::string("expert")}, {"placement", std::string("round_robin")}, {"redundant", int64_t{ranks}}});
    for (int64_t own = 0; own < own_tensors; ++own) {
      spec.layers.push_back({.name = name + ".own" + std::to_string(own), .kind = "norm"});
      spec.layers.back().values = {{"hidden", sizes.hidden}};
    }
  }
  for (model::LayerSpec& layer : spec.layers) model::fill_defaults(layer);
  return spec;
}

Copy copy_of(const at::Tensor& source, const at::Tensor& weight, const model::Placement& box) {
  Copy copy{source.view(model::aligned(Shape(source.sizes().begin(), source.sizes().end()), box.extent.size())), weight};
  for (size_t dim = 0; dim < box.extent.size(); ++dim) {
    copy.source = copy.source.narrow(static_cast<int64_t>(dim), box.source_start[dim], box.extent[dim]);
    copy.target = copy.target.narrow(static_cast<int64_t>(dim), box.target_start[dim], box.extent[dim]);
  }
  return copy;
}

Model make_fused(const Sizes& sizes, int ranks) {
  const model::ModelSpec spec = fused_spec(sizes, ranks);
  const Status fits = model::check_model(spec, ranks);
  RELOADLAB_CHECK(fits.ok(), fits.message());
  const model::TensorParallel tp{.rank = ranks / 2, .size = ranks};
  Model made{model::build_model(spec, tp), {}};
  for (const model::LayerSpec& layer : spec.layers) {
    const model::LayerKind& kind = *model::find_layer_kind(layer.kind);
    const model::LayerPtr built = made.model->find(layer.name);
    for (const model::Delivery& delivery : kind.deliveries(layer)) {
      const at::Tensor source = fresh(delivery.shape);
      Load load{built.get(), delivery.slot, {.shard = delivery.shard, .expert = delivery.expert, .part = delivery.part}, source, {}};
      for (const model::Placement& box : kind.placements(layer, delivery, tp))
        load.copies.push_back(copy_of(source, built->tensor(delivery.slot)->tensor, box));
      made.loads.push_back(std::move(load));
    }
  }
  return made;
}

// 128 experts of three weights each, and nine tensors of their own.
class Moe {
 public:
  Moe(c10::Device device, Model (*make)(const Sizes&)) : sizes_(sizes_of(device)), made_(make(sizes_)) {}

  model::Model& model() { return *made_.model; }
  int64_t layer_count() const { return sizes_.layers * (1 + own_tensors); }
  int64_t load_count() const { return static_cast<int64_t>(made_.loads.size()); }

  // A slice is a layer's loads.
  std::span<const Load> part(size_t slice) const {
    const size_t loads = made_.loads.size() / slices();
    return std::span(made_.loads).subspan(slice * loads, loads);
  }
  size_t slices() const { return static_cast<size_t>(sizes_.layers); }
  void copy_plainly(size_t slice) {
    for (const Load& load : part(slice))
      for (const Copy& copy : load.copies) copy.target.copy_(copy.source);
  }
  void send(size_t slice) {
    for (const Load& load : part(slice)) {
      const model::ParameterPtr handle = load.layer->tensor(load.slot);
      const model::LoaderPtr& loader = handle->loader ? handle->loader : model::default_weight_loader();
      const Status status = (*loader)(*handle, load.source, load.args);
      RELOADLAB_CHECK(status.ok(), status.message());
    }
  }

 private:
  Sizes sizes_;
  Model made_;
};

void add_engine(Contest& contest, Moe& moe, const std::string& name, const LayerwisePolicy& policy) {
  auto engine = std::make_shared<LayerwiseReload>(policy, layerwise::LayerwiseOptions{});
  (void)engine->record(moe.model());
  auto must = [](const Status& status) {
    if (!status.ok()) throw std::runtime_error(status.message());
  };
  auto prepare = [=, &moe](size_t) { must(engine->prepare(moe.model())); };
  auto finish = [=, &moe](size_t) { must(engine->finish(moe.model(), DType::bf16)); };
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
void reload(benchmark::State& state, c10::Device device, Model (*make)(const Sizes&)) {
  model::DeviceScope scope(device);
  Moe plain(device, make), seed(device, make), hardened(device, make);
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

Model whole(const Sizes& sizes) { return make_fused(sizes, 1); }
Model dealt(const Sizes& sizes) { return make_fused(sizes, tiny() ? 2 : 8); }

BENCHMARK_CAPTURE(reload, meta, c10::Device(at::kMeta), Plain::make)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(reload, cpu, c10::Device(at::kCPU), Plain::make)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(reload, fused_experts_meta, c10::Device(at::kMeta), whole)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(reload, fused_experts_cpu, c10::Device(at::kCPU), whole)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(reload, fused_experts_of_eight_ranks_meta, c10::Device(at::kMeta), dealt)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reloadlab::bench

BENCHMARK_MAIN();
