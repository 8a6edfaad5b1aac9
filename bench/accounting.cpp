// What a load call costs on the meta device: the plain loader, the loader under the seed's counter, under exact accounting, and
// through the whole wrapper (bind, buffer, count) of both profiles. The tensor is loaded box by box: rows, columns, or halves of
// experts, in order or shuffled.
#include <ATen/ops/empty.h>

#include "bench/contest.h"
#include "reference/base/prng.h"
#include "reference/layerwise/accounting/progress.h"
#include "reference/layerwise/layerwise.h"
#include "reference/model/device.h"

namespace reloadlab::bench {
namespace {

using layerwise::ElementProgress;
using layerwise::LayerwisePolicy;
using layerwise::LayerwiseReload;
using layerwise::NumelProgress;
using layerwise::WriteTracker;

enum class Cut { rows, columns, halves };

at::Tensor on_meta(at::IntArrayRef sizes) { return at::empty(sizes, at::TensorOptions(at::kBFloat16).device(at::kMeta)); }

// A model of one layer whose weight is loaded in `boxes` pieces, and a second parameter that never is, so that no load is the last.
class Boxes {
 public:
  Boxes(Cut cut, int64_t boxes, bool shuffled) {
    layer = std::make_shared<model::Layer>(model::LayerSpec{.name = "x", .kind = "bench"}, "Bench");
    layer->parameters.set("weight", handle(cut == Cut::rows      ? on_meta({boxes * 4, 64})
                                           : cut == Cut::columns ? on_meta({64, boxes * 4})
                                                                 : on_meta({boxes / 2, 8, 16})));
    layer->parameters.set("never", handle(on_meta({int64_t{1} << 32})));
    layer->parameters.find("weight")->handle->loader = model::free_loader("weight_loader", loader(cut));
    model.root = std::make_shared<model::Layer>(model::LayerSpec{.kind = "model"}, "Model");
    model.root->children.push_back(layer);
    source = cut == Cut::rows ? on_meta({4, 64}) : cut == Cut::columns ? on_meta({64, 4}) : on_meta({4, 16});
    for (int64_t i = 0; i < boxes; ++i) order.push_back({.expert = i});
    Prng prng(7);
    if (shuffled) prng.shuffle(order);
  }

  // A slice of the boxes through the loader that the weight has now.
  void load(size_t slice) {
    model::ParameterPtr weight = layer->parameters.find("weight")->handle;
    const model::LoaderPtr through = weight->loader;
    for (const model::LoadArgs& args : part(slice)) benchmark::DoNotOptimize((*through)(*weight, source, args).ok());
  }
  std::span<const model::LoadArgs> part(size_t slice) const { return std::span(order).subspan(slice * slice_length(), slice_length()); }
  size_t slice_length() const { return std::min<size_t>(order.size(), 128); }
  size_t slices() const { return order.size() / slice_length(); }
  int64_t loads() const { return static_cast<int64_t>(order.size()); }

  model::Model model;
  model::LayerPtr layer;
  at::Tensor source;
  std::vector<model::LoadArgs> order;

 private:
  static model::ParameterPtr handle(at::Tensor tensor) {
    return std::make_shared<model::Parameter>(model::Parameter{.tensor = std::move(tensor)});
  }
  static model::Loader::Function loader(Cut cut) {
    switch (cut) {
      case Cut::rows:
        return [](model::Layer*, model::Parameter& to, const at::Tensor& from, const model::LoadArgs& args) {
          to.tensor.narrow(0, *args.expert * 4, 4).copy_(from);
          return Status();
        };
      case Cut::columns:
        return [](model::Layer*, model::Parameter& to, const at::Tensor& from, const model::LoadArgs& args) {
          to.tensor.narrow(1, *args.expert * 4, 4).copy_(from);
          return Status();
        };
      case Cut::halves:
        return [](model::Layer*, model::Parameter& to, const at::Tensor& from, const model::LoadArgs& args) {
          to.tensor.select(0, *args.expert / 2).narrow(0, *args.expert % 2 * 4, 4).copy_(from);
          return Status();
        };
    }
    return {};
  }
};

// A slice of the boxes under a Progress, credited load by load.
void count(Boxes& boxes, size_t slice, layerwise::Progress& progress) {
  model::ParameterPtr weight = boxes.layer->parameters.find("weight")->handle;
  for (const model::LoadArgs& args : boxes.part(slice)) {
    benchmark::DoNotOptimize(progress.count([&] { return (*weight->loader)(*weight, boxes.source, args); }).ok());
    progress.credit();
  }
}

struct Exact {
  explicit Exact(const Boxes& boxes) {
    const at::Tensor& weight = boxes.layer->parameters.find("weight")->handle->tensor;
    loadable = layerwise::WriteSet{layerwise::IndexSpace(weight)};
    std::vector<layerwise::Footprint> whole;
    if (append_footprints(weight, whole).ok()) loadable.add(whole[0]);
    tracker.watch(weight.storage().unsafeGetStorageImpl(), &progress.add(loadable, static_cast<int64_t>(weight.storage().nbytes())));
  }
  layerwise::WriteSet loadable;
  WriteTracker tracker{WriteTracker::Unaccountable::refuse};
  ElementProgress progress{tracker};
};

// Few boxes are loaded more often in a pass, into a set of their own each time, so that slices are long enough to be timed.
size_t rounds_of(const Boxes& boxes) { return std::max<size_t>(1, 128 / boxes.order.size()); }

using Load = std::function<void(size_t round, size_t slice)>;

void add(
    Contest& contest, const std::string& name, const Boxes& boxes, Load load, std::function<void()> before = [] {},
    std::function<void()> after = [] {}) {
  const size_t rounds = rounds_of(boxes);
  contest.add({.name = name,
               .loads = static_cast<int64_t>(rounds) * boxes.loads(),
               .slices = boxes.slices(),
               .run =
                   [=](size_t slice) {
                     for (size_t round = 0; round < rounds; ++round) load(round, slice);
                   },
               .before = std::move(before),
               .after = std::move(after)});
}

void add_exact(Contest& contest, const std::string& name, const std::shared_ptr<Boxes>& boxes) {
  auto sets = std::make_shared<std::vector<std::unique_ptr<Exact>>>();
  auto fresh = [=] {
    sets->clear();
    for (size_t round = 0; round < rounds_of(*boxes); ++round) sets->push_back(std::make_unique<Exact>(*boxes));
  };
  add(
      contest, name, *boxes, [=](size_t round, size_t slice) { count(*boxes, slice, (*sets)[round]->progress); }, fresh);
}

// One pass is one update, in which no layer completes. Few boxes are loaded again and again in it, as excess.
void add_wrapped(Contest& contest, const std::string& name, const std::shared_ptr<Boxes>& boxes, const LayerwisePolicy& policy) {
  auto engine = std::make_shared<LayerwiseReload>(policy, layerwise::LayerwiseOptions{});
  (void)engine->record(boxes->model);
  add(
      contest, name, *boxes, [=](size_t, size_t slice) { boxes->load(slice); }, [=] { (void)engine->prepare(boxes->model); },
      [=] { (void)engine->finish(boxes->model, DType::bf16); });
}

// Small inputs keep the same names, so that a tiny run exercises every path.
int64_t boxes_of(int64_t boxes) { return tiny() ? std::min<int64_t>(boxes, 32) : boxes; }

void load_call(benchmark::State& state, Cut cut, bool shuffled) {
  model::DeviceScope device(c10::Device(at::kMeta));
  auto boxes = [&] { return std::make_shared<Boxes>(cut, boxes_of(state.range(0)), shuffled); };
  const std::shared_ptr<Boxes> plain = boxes(), counted = boxes();
  Contest contest;
  add(contest, "plain", *plain, [=](size_t, size_t slice) { plain->load(slice); });
  auto number = std::make_shared<NumelProgress>(INT64_MAX);
  add(contest, "seed_counter", *counted, [=](size_t, size_t slice) { count(*counted, slice, *number); });
  add_exact(contest, "exact", boxes());
  add_wrapped(contest, "seed_wrapped", boxes(), LayerwisePolicy::seed());
  add_wrapped(contest, "hardened_wrapped", boxes(), LayerwisePolicy::hardened());
  for (auto _ : state) contest.pass(state);
  contest.report(state);
  contest.report_ratio(state, "seed_counter", "plain");
  contest.report_ratio(state, "seed_wrapped", "plain");
  contest.report_ratio(state, "exact", "seed_counter");
  contest.report_ratio(state, "hardened_wrapped", "plain");
}

// Exact accounting at 16 boxes a tensor against many, shuffled: what a load costs must not grow with the loads before it.
void flatness(benchmark::State& state, Cut cut) {
  Contest contest;
  add_exact(contest, "few", std::make_shared<Boxes>(cut, boxes_of(16), true));
  add_exact(contest, "many", std::make_shared<Boxes>(cut, boxes_of(state.range(0)), true));
  for (auto _ : state) contest.pass(state);
  contest.report(state);
  contest.report_ratio(state, "many", "few");
}

#define LOAD_CALL(name, cut, shuffled) \
  BENCHMARK_CAPTURE(load_call, name, cut, shuffled)->Arg(16)->Arg(256)->Arg(2048)->UseManualTime()->Unit(benchmark::kMillisecond)
LOAD_CALL(rows, Cut::rows, false);
LOAD_CALL(rows_shuffled, Cut::rows, true);
LOAD_CALL(columns_shuffled, Cut::columns, true);
LOAD_CALL(halves_shuffled, Cut::halves, true);
BENCHMARK_CAPTURE(flatness, rows, Cut::rows)->Arg(2048)->Arg(16384)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(flatness, columns, Cut::columns)->Arg(2048)->Arg(16384)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(flatness, halves, Cut::halves)->Arg(2048)->Arg(16384)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reloadlab::bench

BENCHMARK_MAIN();
