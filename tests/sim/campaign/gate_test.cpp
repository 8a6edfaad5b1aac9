#include "sim/campaign/gate.h"

#include <gtest/gtest.h>

#include "tests/sim/campaign/fixture.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

class Gated : public CampaignTest {
 protected:
  Gate gate(const std::vector<std::string>& candidates) {
    GateOptions made{.today = "2026-11-29"};
    made.selection.candidates = candidates;
    made.workers = {.command = {"/proc/self/exe", "worker"}, .silence_seconds = silence_seconds(candidates.at(0))};
    return Gate(engine, std::move(made));
  }
  std::string small() {
    scenario("small");
    return (folder / "scenarios/layerwise/small.yaml").string();
  }
};

TEST_F(Gated, CasesArePlayedOneAtATimeAndInAnyOrder) {
  Gate gate = this->gate({"fake@good", "fake@bad"});
  const auto numbers = gate.add(small());
  ASSERT_TRUE(numbers.ok()) << numbers.status().message();
  ASSERT_EQ(numbers->size(), 4u);
  EXPECT_EQ(gate.job(2).the_case.id() + " " + gate.job(2).candidate, "small[ranks=2] fake@good");
  const auto bad = gate.play(3), good = gate.play(0);
  ASSERT_TRUE(bad.ok() && good.ok());
  EXPECT_EQ(bad->code, Exit::failed);
  EXPECT_TRUE(bad->text.starts_with("FAIL  law_a   fake@bad")) << bad->text;
  EXPECT_NE(bad->text.find("\n  again  reloadlab run " + small() + " --name 'small[ranks=2]' --candidate fake@bad\n"), std::string::npos);
  EXPECT_EQ(good->code, Exit::held);
  EXPECT_EQ(good->text, "");
}

TEST_F(Gated, WhatIsExpectedIsNoFailureAndPassingIs) {
  const std::string file = small();
  write("scenarios/expectations/layerwise/small.yaml",
        "reloadlab: 1\nscenario: small\nknown:\n  - {candidate: fake@bad, law: law_a, rule: LW5, execution: warm, step: 1, tensor: "
        "up.weight}\n"
        "  - {candidate: fake@good, law: law_a, rule: LW5, execution: warm, step: 1, tensor: up.weight}\n");
  Gate gate = this->gate({"fake@bad", "fake@good"});
  const auto numbers = gate.add(file);
  ASSERT_TRUE(numbers.ok()) << numbers.status().message();
  EXPECT_EQ(gate.play(0)->code, Exit::held);
  const auto passing = gate.play(1);
  EXPECT_EQ(passing->code, Exit::unexpected_pass);
  EXPECT_TRUE(passing->text.starts_with("UNEXPECTED PASS  law_a")) << passing->text;
}

TEST_F(Gated, WhatCannotBeReadOrPlayedSaysWhy) {
  Gate gate = this->gate({"fake@good"});
  EXPECT_EQ(gate.add("nowhere.yaml").status().code(), Code::usage);
  write("scenarios/broken.yaml", "reloadlab: 1\n");
  EXPECT_EQ(gate.add((folder / "scenarios/broken.yaml").string()).status().code(), Code::data);
  engine.lacks = [](const Case&) { return "no such thing here"; };
  Gate lacking = this->gate({"fake@good"});
  ASSERT_TRUE(lacking.add(small()).ok());
  const auto skipped = lacking.play(0);
  EXPECT_EQ(skipped->code, Exit::nothing_ran);
  EXPECT_EQ(skipped->result.reason, "no such thing here");
}

}  // namespace
}  // namespace reloadlab::tests
