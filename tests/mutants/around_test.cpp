// Mutants around the reference: what each is for kills it, and what it is around passes.
#include "tests/mutants/around.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/mutants/played.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::mutants {
namespace {

using sim::Outcome;
using sim::Verdict;

// Two ranks, a scale for each row, shards, and an update that leaves a layer out.
std::string quantized(std::string_view system, std::string_view quant, std::string_view arrival = {}) {
  return fmt::format(R"(
reloadlab: 1
scenario: quantized
about: Shards of a quantized layer, and a norm.
system: {}
world: {{kind: {}, ranks: 2}}
model:
  layers:
    - {{name: qkv, kind: qkv_parallel_linear, hidden: 8, heads: 4, kv_heads: 2, quant: {}}}
    - {{name: norm, kind: norm, hidden: 8}}
    - {{name: o, kind: row_parallel_linear, in: 8, out: 8, quant: {}}}
checkpoints: {{A: {{synthetic: 1}}, B: {{synthetic: 2}}}}
steps:
  - load: A
  - reload: {{to: B{}{}}}
  - reload: {{to: A}}
  - reload: {{to: B, omit: ["norm.*"]}}
  - reload: {{to: A}}
)",
                     system, arrival.empty() ? "cpu" : "sim", quant, quant, arrival.empty() ? "" : ", ", arrival);
}

// Rows that only a constructor fills, and an update that comes too early.
std::string asleep(std::string_view system) {
  return fmt::format(R"(
reloadlab: 1
scenario: asleep
about: A quantized layer and a padded one, which sleep.
system: {}
world: {{ranks: 1}}
model:
  layers:
    - {{name: embed, kind: vocab_parallel_embedding, vocab: 6, hidden: 8, pad_to: 8}}
    - {{name: up, kind: column_parallel_linear, in: 8, out: 8, quant: fp8_per_channel}}
checkpoints: {{A: {{synthetic: 1}}, B: {{synthetic: 2}}}}
steps:
  - load: A
  - sleep: {{level: 1}}
  - {{reload: {{to: B}}, outcome: error}}
  - wake: {{}}
  - reload: {{to: B}}
  - sleep: {{level: 2}}
  - wake: {{}}
  - reload: {{to: A}}
)",
                     system);
}

class AroundMutants : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!sim::find_candidate("mutant@none").ok()) register_mutants();
  }
};

TEST_F(AroundMutants, AreKilledByTheirLaws) {
  for (const Around& mutant : around_mutants()) {
    Kills killed = kills(quantized(mutant.system, "fp8_per_channel", mutant.arrival), mutant.name);
    if (killed.laws.empty()) killed = kills(asleep(mutant.system), mutant.name);
    EXPECT_TRUE(killed.laws.contains(std::string(mutant.law))) << mutant.name << " for " << mutant.law << "\n" << killed.text;
  }
}

TEST_F(AroundMutants, TheLawOfEachPassesWhatItIsAround) {
  for (const Around& mutant : around_mutants()) {
    const std::string inner = fmt::format("{}@{}", mutant.system, mutant.profile);
    for (const Verdict& verdict : verdicts_of(quantized(mutant.system, "fp8_per_channel", mutant.arrival), inner)) {
      if (verdict.law != mutant.law) continue;
      EXPECT_EQ(verdict.outcome, Outcome::pass) << mutant.name << " for " << mutant.law;
    }
  }
}

TEST_F(AroundMutants, TheReferencePassesWhatItsMutantsDoNot) {
  for (const char* system : {"layerwise", "online_quant"})
    for (const std::string& scenario : {quantized(system, "fp8_per_channel"), asleep(system)})
      for (const Verdict& verdict : verdicts_of(scenario, std::string(system) + "@hardened"))
        EXPECT_NE(verdict.outcome, Outcome::fail) << system << ": " << told(verdict);
}

}  // namespace
}  // namespace reloadlab::mutants
