#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sim/candidate/candidate.h"
#include "sim/law/memory_bound.h"
#include "tests/mutants/played.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::mutants {
namespace {

using sim::Evidence;
using sim::Outcome;
using sim::Verdict;

constexpr std::string_view kShards = R"(
reloadlab: 1
scenario: shards
about: Layers of three shards each.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: "blocks.{0..3}.qkv", kind: qkv_parallel_linear, hidden: 8, heads: 2, kv_heads: 2}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
  - reload: {to: A}
)";

constexpr std::string_view kOnce = R"(
reloadlab: 1
scenario: once
about: One update, which ends with other bytes than it found.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: qkv, kind: qkv_parallel_linear, hidden: 8, heads: 2, kv_heads: 2}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
)";

constexpr std::string_view kTwoRanks = R"(
reloadlab: 1
scenario: two-ranks
about: Two ranks that hold as much of everything.
system: layerwise
world: {ranks: 2}
model:
  layers:
    - {name: qkv, kind: qkv_parallel_linear, hidden: 8, heads: 2, kv_heads: 2}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
)";

constexpr std::string_view kRepeatedShard = R"(
reloadlab: 1
scenario: repeated-shard
about: The first shard comes twice.
system: layerwise
world: {ranks: 2}
model:
  layers:
    - {name: qkv, kind: qkv_parallel_linear, hidden: 8, heads: 2, kv_heads: 2}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B, repeat: ["q_proj.weight x2"]}
)";

constexpr std::string_view kManyLayers = R"(
reloadlab: 1
scenario: many-layers
about: Sixteen layers that wait while the first one loads.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: "blocks.{0..15}.qkv", kind: qkv_parallel_linear, hidden: 4, heads: 2}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
)";

constexpr std::string_view kDummyWeights = R"(
reloadlab: 1
scenario: dummy-weights
about: No loader has run before the first update, and one of them transforms.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: mixer, kind: composed, size: 4}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: {from: A, direct: true}
  - reload: {to: B}
  - reload: {to: A}
)";

constexpr std::string_view kExperts = R"(
reloadlab: 1
scenario: experts
about: Every rank is sent every expert.
system: layerwise
world: {ranks: 2}
model:
  layers:
    - {name: experts, kind: fused_experts, hidden: 8, intermediate: 8, experts: 4, parallel: expert}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
)";

constexpr std::string_view kTable = R"(
reloadlab: 1
scenario: table
about: A post-load step looks a permutation up in what the process keeps.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: up, kind: column_parallel_linear, in: 4, out: 6, quant: row_table}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
)";

constexpr std::string_view kGraphs = R"(
reloadlab: 1
scenario: graphs
about: Graphs of a layer that a post-load step rewrites.
system: layerwise
world: {kind: sim}
model: {layers: [{name: up, kind: column_parallel_linear, in: 4, out: 6, quant: tile_permute}]}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps: [{load: A}, {capture: {sizes: [1, 4], shared_pool: true}}, {reload: {to: B}}, {replay: {}}]
)";

constexpr std::string_view kOneLayer = R"(
reloadlab: 1
scenario: one-layer
about: A layer that a post-load step rewrites.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: up, kind: column_parallel_linear, in: 4, out: 6, quant: tile_permute}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
  - reload: {to: A}
)";

constexpr std::string_view kAttention = R"(
reloadlab: 1
scenario: attention
about: A deferred layer that keeps host copies of what was loaded.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: blocks.0.attn, kind: attention, heads: 2}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
  - reload: {to: A}
)";

constexpr std::string_view kSameAgain = R"(
reloadlab: 1
scenario: same-again
about: The same scales come once more, so that what was derived from them is right even if nobody derived it.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: blocks.0.attn, kind: attention, heads: 2}
checkpoints: {A: {synthetic: 1}}
steps:
  - load: A
  - reload: {to: A}
)";

constexpr std::string_view kPadded = R"(
reloadlab: 1
scenario: padded
about: Rows that no load writes have a declared value.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: up, kind: column_parallel_linear, in: 4, out: 6, pad_rows_to: 8, pad_value: 0.5}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B}
)";

constexpr std::string_view kLate = R"(
reloadlab: 1
scenario: late
about: The first forward registers a parameter.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: up, kind: buffers, shape: [3, 2], late: true}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - forward: {}
  - reload: {to: B}
  - reload: {to: A}
)";

constexpr std::string_view kOmitted = R"(
reloadlab: 1
scenario: omitted
about: One layer of two is not sent.
system: layerwise
world: {ranks: 1}
model:
  layers:
    - {name: "up.{0..1}", kind: column_parallel_linear, in: 4, out: 6}
checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}
steps:
  - load: A
  - reload: {to: B, omit: ["up.1.weight"]}
)";

constexpr std::string_view kAll[] = {kShards, kGraphs, kOnce,    kTwoRanks,   kRepeatedShard, kOneLayer, kAttention, kSameAgain,
                                     kPadded, kLate,   kOmitted, kManyLayers, kDummyWeights,  kExperts,  kTable};

class Mutants : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!sim::find_candidate("mutant@none").ok()) register_mutants();
  }
};

using Laws = std::set<std::string>;

TEST_F(Mutants, TheControlPassesEveryLawEverywhere) {
  for (std::string_view scenario : kAll) EXPECT_EQ(kills(scenario, "none").text, "");
}

TEST_F(Mutants, EachIsKilledByItsLawAlone) {
  const struct {
    std::string_view name, scenario;
  } lone[] = {{"stale_derived", kSameAgain}, {"padding_zeroed", kPadded},  {"late_zeroed", kLate},          {"order_swayed", kOnce},
              {"finish_only", kOneLayer},    {"fresh_storage", kOneLayer}, {"wrapper_left", kShards},       {"hoarding", kShards},
              {"derives_twice", kAttention}, {"silent", kOmitted},         {"no_rollback", kShards},        {"handle_kept", kShards},
              {"layer_kept", kShards},       {"batch_lost", kOnce},        {"hook_left", kShards},          {"mark_cleared", kOneLayer},
              {"source_zeroed", kShards},    {"late_lapse", kShards},      {"attributes_dropped", kShards}, {"walks_all", kManyLayers},
              {"ranks_apart", kTwoRanks}};
  Laws covered;
  for (const auto& [name, scenario] : lone) {
    const auto mutant = std::ranges::find(all_mutants(), name, &Mutant::name);
    const Kills killed = kills(scenario, name);
    EXPECT_EQ(killed.laws, Laws{std::string(mutant->law)}) << name << "\n" << killed.text;
    covered.insert(std::string(mutant->law));
  }
  for (const sim::LawInfo& law : sim::laws()) {
    const bool elsewhere = law.domain != sim::Domain::reload && law.domain != sim::Domain::both;  // ring_test.cpp
    EXPECT_TRUE(elsewhere || covered.contains(std::string(law.id))) << law.id << " kills no mutant alone";
  }
}

TEST_F(Mutants, OthersAreKilledBySeveralLaws) {
  const struct {
    std::string_view name, scenario;
    Laws laws;
  } several[] = {
      {"stale_derived", kAttention, {"cold_load_equal", "derived_fresh"}},
      {"sums", kRepeatedShard, {"cold_load_equal", "failure_atomic", "order_free", "written_once"}},
      {"swapped_shards", kOnce, {"cold_load_equal", "failure_atomic", "order_free", "written_once"}},
      {"dropped_last", kOnce, {"cold_load_equal", "failure_atomic", "order_free", "written_once"}},
      {"lax", kOmitted, {"cold_load_equal", "coverage_reported", "failure_atomic", "return_exact"}},
      {"lax", kRepeatedShard, {"cold_load_equal", "coverage_reported", "failure_atomic", "memory_bound", "return_exact"}},
      {"early_copy", kOneLayer, {"event_order"}},
      {"fresh_storage", kGraphs, {"address_stable", "graph_replay"}},
      {"throwing", kOneLayer, {"failure_atomic"}},
      {"source_cached", kOneLayer, {"cold_load_equal", "failure_atomic", "memory_bound", "no_leak", "return_exact"}},
      {"direct_bound", kOmitted, {"coverage_reported", "failure_atomic"}},
      {"others_kept", kExperts, {"memory_bound", "ranks_alike"}},
      {"learns_first", kDummyWeights, {"cold_load_equal", "failure_atomic", "written_once"}},
      {"tables_dropped", kTable, {"cold_load_equal", "failure_atomic"}},
      {"tables_left_dead", kTable, {"cold_load_equal", "failure_atomic"}},
      {"nothing_received", kOnce, {"cold_load_equal", "failure_atomic", "memory_bound", "written_once"}},
  };
  for (const auto& [name, scenario, laws] : several) {
    const Kills killed = kills(scenario, name);
    EXPECT_EQ(killed.laws, laws) << name << "\n" << killed.text;
  }
}

TEST_F(Mutants, TheReferencePassesWhereTheControlDoes) {
  for (std::string_view scenario : kAll)
    for (const Verdict& verdict : verdicts_of(scenario, "layerwise@hardened")) EXPECT_NE(verdict.outcome, Outcome::fail) << told(verdict);
}

}  // namespace
}  // namespace reloadlab::mutants
