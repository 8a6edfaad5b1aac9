// Extra memory of our own engine, update by update, against the formula: not below it and not above it, in every scenario. Layers that
// need no materialized tensors may stay below.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/law/law.h"
#include "sim/law/memory_bound.h"
#include "sim/replay/lacks.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

std::vector<Case> every_case(const std::string& folder) {
  ParseOptions options;
  for (const LawInfo& law : laws()) options.known_laws.emplace_back(law.id);
  const auto files = find_scenarios({RELOADLAB_SOURCE_DIR "/scenarios/" + folder});
  EXPECT_TRUE(files.ok());
  std::vector<Case> cases;
  for (const auto& file : *files) {
    auto read = read_scenario(file, options);
    EXPECT_TRUE(read.ok()) << read.status().message();
    std::ranges::copy_if(*read, std::back_inserter(cases), [](const Case& one) { return lacks(one, Gpus()).empty(); });
  }
  return cases;
}

Evidence peaks_evidence_of(Case the_case, const std::string& candidate) {
  the_case.laws = {"memory_bound"};  // the warm execution alone
  const auto info = find_candidate(candidate);
  EXPECT_TRUE(info.ok());
  auto evidence = replay(the_case, *info);
  EXPECT_TRUE(evidence.ok()) << evidence.status().message();
  return *std::move(evidence);
}

// Nothing before the end of the update has failed, or was meant to.
bool unspoiled(const Evidence& evidence, const PeakPair& pair) {
  const Execution& warm = *warm_of(evidence);
  for (int step = 0; step < pair.update.last; ++step) {
    const StepOutcome* outcome = outcome_of(warm.ranks[static_cast<size_t>(pair.rank)], step);
    if (!outcome || !outcome->status.ok() || warm.steps[static_cast<size_t>(step)].outcome != Step::Outcome::ok) return false;
  }
  return true;
}

struct Engine {
  const char* name;
  const char* folder;
  const char* candidate;
  bool recovers = true;  // a failure leaves nothing; otherwise the formula says nothing about what comes after one
  bool materializes = true;
};
void PrintTo(const Engine& engine, std::ostream* out) { *out << engine.candidate; }

class MemoryPeaks : public testing::TestWithParam<Engine> {};

TEST_P(MemoryPeaks, AreTheFormulasInEveryScenario) {
  int updates = 0, exact = 0;
  for (const Case& the_case : every_case(GetParam().folder)) {
    const Evidence evidence = peaks_evidence_of(the_case, GetParam().candidate);
    for (const PeakPair& pair : memory_peaks(evidence)) {
      if (!GetParam().recovers && !unspoiled(evidence, pair)) continue;
      SCOPED_TRACE(the_case.id() + ", rank " + std::to_string(pair.rank) + ", step " + std::to_string(pair.update.last));
      EXPECT_LE(pair.seen, pair.planned);
      if (GetParam().materializes) {
        EXPECT_GE(pair.seen, pair.planned_before);
      }
      ++updates;
      exact += pair.planned == pair.planned_before;
    }
  }
  EXPECT_GT(updates, 100);
  EXPECT_GT(exact, updates * 9 / 10);  // the others ended in a failing call
}

INSTANTIATE_TEST_SUITE_P(
    Ours, MemoryPeaks,
    testing::Values(Engine{"Backup", "layerwise", "layerwise@hardened,landing=materialized"},
                    Engine{"Unusable", "layerwise", "layerwise@hardened,landing=materialized,abort=unusable"},
                    Engine{"Shadow", "layerwise", "layerwise@hardened,landing=materialized,shadow=keep"},
                    Engine{"ShadowUnusable", "layerwise", "layerwise@hardened,landing=materialized,shadow=keep,abort=unusable"},
                    Engine{"Whole", "layerwise", "layerwise@hardened", true, false},
                    Engine{"WholeShadow", "layerwise", "layerwise@hardened,shadow=keep", true, false},
                    Engine{"Direct", "layerwise", "layerwise@hardened,landing=direct", true, false},
                    Engine{"DirectUnusable", "layerwise", "layerwise@hardened,landing=direct,abort=unusable", true, false},
                    Engine{"OnlineQuant", "online_quant", "online_quant@hardened"},
                    Engine{"OnlineQuantShadow", "online_quant", "online_quant@hardened,shadow=keep"},
                    Engine{"WholeModel", "online_quant", "online_quant@seed,restored=dropped", false},
                    Engine{"WholeModelTies", "online_quant", "online_quant@seed,ties=all,callables=kept,created=in_place,restored=dropped",
                           false}),
    [](const auto& engine) { return engine.param.name; });

// The one that comes again after everything else makes the peak: by then there are copies of all kernel tensors, and it is larger than
// what the last layer needed.
TEST(ADroppedLoad, CountsWhileItIsInFlightUnlessTheTransportOwnsIt) {
  constexpr int64_t qkv = 1024, q = 512, small = 192, count = 12;
  std::vector<model::LayerSpec> layers{qkv_layer("a.qkv")};
  for (int64_t i = 0; i < count; ++i) layers.push_back(linear_layer("b" + std::to_string(i)));
  Case the_case = tiny_case(std::move(layers));
  the_case.steps.resize(2);
  the_case.steps[1].plan.excess = {"a.q_proj.weight"};
  for (const int64_t chunk : {0, 1}) {
    the_case.steps[1].plan.chunk = chunk;
    const PeakPair pair = memory_peaks(peaks_evidence_of(the_case, "layerwise@hardened"))[0];
    EXPECT_EQ(pair.planned, qkv + count * small + (chunk ? small + small : q));
    EXPECT_EQ(pair.seen, pair.planned);
  }
}

// Copied to be kept, one column takes a tile more; when its group is processed, what that takes hides it.
TEST(AnAbandonedLoad, CountsWithWhatCopyingItTook) {
  constexpr int64_t column = 3600 * 2, tile = 60 * 60 * 2;
  model::LayerSpec layer = linear_layer("up");
  layer.values.insert_or_assign("in", int64_t{1});
  layer.values.insert_or_assign("out", int64_t{3600});
  layer.values.insert_or_assign("bias", true);
  Case the_case = tiny_case({layer});
  the_case.steps.resize(2);
  the_case.steps[1].abort_after = 1;
  for (const auto layout : {LoadPlan::Layout::dense, LoadPlan::Layout::transposed}) {
    the_case.steps[1].plan.layout = layout;
    the_case.steps[1].plan.chunk = 1;
    const PeakPair pair = memory_peaks(peaks_evidence_of(the_case, "layerwise@hardened"))[0];
    EXPECT_EQ(pair.planned, column + (layout == LoadPlan::Layout::transposed ? tile : 0));
    EXPECT_EQ(pair.seen, pair.planned);
  }
}

// An index on the host, for a tensor on meta.
TEST(AnAbandonedLoad, CountsWithWhatItsLoaderTookToBeCounted) {
  constexpr int64_t rows = 5, columns = 3, weight = rows * columns * 2, index = rows * 8;
  model::LayerSpec layer{.name = "up", .kind = "custom_loader", .dtype = DType::bf16};
  layer.values = {{"rows", rows}, {"columns", columns}, {"via", std::string("index_put")}, {"bias", true}};
  model::fill_defaults(layer);
  Case the_case = tiny_case({layer});
  the_case.steps.resize(2);
  the_case.steps[1].abort_after = 1;
  const PeakPair pair = memory_peaks(peaks_evidence_of(the_case, "layerwise@hardened"))[0];
  EXPECT_EQ(pair.planned, weight + index);
  EXPECT_EQ(pair.seen, pair.planned);
}

}  // namespace
}  // namespace reloadlab::sim
