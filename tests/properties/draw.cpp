#include "tests/properties/draw.h"

#include <rapidcheck.h>

#include "reference/model/kind.h"
#include "sim/candidate/candidate.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

// Sizes are multiples of this, so that every drawn rank count divides them.
constexpr int64_t unit = 12;

int64_t draw_size() { return unit * *rc::gen::inRange<int64_t>(1, 4); }

struct Drawn {
  std::string kind;
  Values values;
};

Drawn draw_kind() {
  const int64_t a = draw_size(), b = draw_size();
  const bool bias = *rc::gen::arbitrary<bool>();
  switch (*rc::gen::inRange(0, 8)) {
    case 0:
      return {"column_parallel_linear", {{"in", a}, {"out", b}, {"bias", bias}}};
    case 1:
      return {"row_parallel_linear", {{"in", a}, {"out", b}, {"bias", bias}}};
    case 2:
      return {"merged_column_parallel_linear", {{"in", a}, {"outs", std::vector<int64_t>{b, b}}}};
    case 3:
      return {"qkv_parallel_linear",
              {{"hidden", a}, {"heads", unit}, {"kv_heads", unit / *rc::gen::inRange<int64_t>(1, 3)}, {"head_dim", int64_t{2}}}};
    case 4:
      return {"vocab_parallel_embedding", {{"vocab", a - *rc::gen::inRange<int64_t>(0, 5)}, {"hidden", b}, {"pad_to", unit}}};
    case 5:
      return {"norm", {{"hidden", a}, {"bias", bias}}};
    case 6:
      return {"composed", {{"size", a}}};
    default:
      return {"scalars", {{"rows", a}, {"columns", b}}};
  }
}

model::LayerSpec draw_layer(int index) {
  Drawn drawn = draw_kind();
  model::LayerSpec spec{.name = "layer" + std::to_string(index), .kind = drawn.kind, .values = std::move(drawn.values)};
  if (spec.kind == "column_parallel_linear" && *rc::gen::arbitrary<bool>()) spec.quant = "tile_permute";
  model::fill_defaults(spec);
  return spec;
}

bool same(const CensusEntry& a, const CensusEntry& b) {
  const bool bytes = (!a.content && !b.content) || (a.content && b.content && a.content->bytes == b.content->bytes);
  return bytes && a.path == b.path && a.kind == b.kind && a.persistent == b.persistent && a.on_meta == b.on_meta && a.handle == b.handle &&
         a.storage == b.storage && a.offset == b.offset && a.shape == b.shape && a.strides == b.strides && a.loader == b.loader &&
         a.attributes == b.attributes && a.tensor_class == b.tensor_class;
}

}  // namespace

LoadPlan draw_plan(const std::string& checkpoint) {
  LoadPlan plan{.checkpoint = checkpoint};
  plan.order = *rc::gen::element(OrderKind::listed, OrderKind::by_layer, OrderKind::reversed, OrderKind::shuffled, OrderKind::interleaved);
  plan.order_seed = *rc::gen::inRange<uint64_t>(0, 100);
  plan.chunk = *rc::gen::inRange<int64_t>(0, 4);
  return plan;
}

Step reload_with(LoadPlan plan) { return {.kind = StepKind::reload, .plan = std::move(plan)}; }

Case draw_case() {
  Case the_case{.scenario = "drawn", .file = "drawn.yaml", .about = "A drawn case.", .system = "layerwise"};
  const int layers = *rc::gen::inRange(1, 5);
  for (int i = 0; i < layers; ++i) the_case.model.layers.push_back(draw_layer(i));
  the_case.ranks = *rc::gen::inRange(1, 5);
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  Step load{.kind = StepKind::load};
  load.plan.checkpoint = "A";
  the_case.steps = {load, reload_with(draw_plan("B")), reload_with(draw_plan("A"))};
  const Status fits = model::check_model(the_case.model, the_case.ranks);
  if (!fits.ok()) RC_DISCARD(fits.message());
  return the_case;
}

Evidence run(const Case& the_case, const std::string& candidate) {
  Result<CandidateInfo> info = find_candidate(candidate);
  RC_ASSERT(info.ok());
  Result<Evidence> evidence = replay(the_case, *info);
  if (!evidence.ok()) RC_FAIL(evidence.status().message());
  return *std::move(evidence);
}

void require_all_hold(const Evidence& evidence) {
  for (const Verdict& verdict : judge(evidence)) {
    if (verdict.outcome != Outcome::fail) continue;
    RC_LOG() << verdict.law << ": " << verdict.finding->execution << ", rank " << verdict.finding->rank << ", step "
             << verdict.finding->step << ", " << verdict.finding->tensor << ": " << verdict.finding->what << "; " << verdict.finding->first
             << "\n\n"
             << emit(evidence.the_case);
    RC_FAIL(verdict.law);
  }
}

const RankRun& warm(const Evidence& evidence, int rank) { return evidence.find(Variation::Kind::warm)->ranks[static_cast<size_t>(rank)]; }

bool same(const Census& a, const Census& b) {
  return std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const CensusEntry& x, const CensusEntry& y) { return same(x, y); });
}

}  // namespace reloadlab::sim
