// `show --case`: what a stranger sees of a run, and what becomes of questions about what is not there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "sim/report/text.h"
#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

constexpr const char* kTwoModels = R"(
reloadlab: 1
scenario: pair
about: Two models of three layers each.
system: shared_series
world: {kind: sim, ranks: [2]}
model:
  layers:
    - {name: "blocks.{0..2}.o", kind: replicated_linear, in: 4, out: 4}
models: 2
series:
  - {name: o, layers: "blocks.{0..2}.o"}
checkpoints: {A: {synthetic: 1}}
steps:
  - load: A
  - pass: {}
  - drain: {}
  - pass: {}
)";

class Showing : public ProgramTest {
 protected:
  Showing() {
    write("scenarios/pair.yaml", kTwoModels);
    reloadlab("run --no-expectations --candidate shared_series@hardened --candidate mutant@ring_no_wait");
  }
};

size_t times(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST_F(Showing, HasStreamsRingsAndRacesOfEachModel) {
  const Ran shown = reloadlab("show --case pair");
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  for (const char* candidate : {"pair  shared_series@hardened\n", "pair  mutant@ring_no_wait\n"})
    EXPECT_NE(shown.out.find(candidate), std::string::npos) << shown.out;
  for (const char* ring : {"ring of model 0, series o, rank 0", "ring of model 0, series o, rank 1", "ring of model 1, series o, rank 0",
                           "ring of model 1, series o, rank 1"})
    EXPECT_EQ(times(shown.out, ring), 2u) << ring << shown.out;
  EXPECT_NE(shown.out.find("| slot 1"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("\n   0  1 pass, model 0 "), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("no edge"), std::string::npos) << shown.out;
  EXPECT_EQ(shown.out.find("into "), std::string::npos) << shown.out;
}

// All lines but those of a schedule, which end in a backslash to be put together again, and are no wider either.
TEST_F(Showing, PrintsNoLineThatIsWiderThanItIsAskedTo) {
  for (const size_t width : {40, 41, 57, 80, 120}) {
    const Ran shown = reloadlab(fmt::format("show --case pair --width {}", width));
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    EXPECT_NE(shown.out.find("--schedule"), std::string::npos) << shown.out;
    std::istringstream in(shown.out);
    for (std::string line; std::getline(in, line);) EXPECT_LE(sim::columns(line), width) << line;
  }
  EXPECT_EQ(reloadlab("show --case pair --width 39").exit_code, 64);
}

// Of two windows one is filled when loading is finished, from the layer's owner or, on the owner, for nobody else.
TEST_F(Showing, KnowsWhatLoadingPutIntoWindows) {
  const Ran shown = reloadlab("show --case pair --candidate shared_series@hardened --step 0 --ranks 1");
  EXPECT_EQ(times(shown.out, "windows: arriving: "), 1u) << shown.out;
  EXPECT_EQ(times(shown.out, "step   | reach | slot 0 | slot 1 | beside the windows\n0 load | -     | 0 held | empty  |\n"), 2u)
      << shown.out;
}

TEST_F(Showing, KeepsEveryPartToWhatIsAskedFor) {
  const Ran shown = reloadlab("show --case pair --candidate mutant@ring_no_wait --step 3 --ranks 1");
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_EQ(shown.out.find("shared_series@hardened"), std::string::npos) << shown.out;
  EXPECT_EQ(shown.out.find("1 pass"), std::string::npos) << shown.out;
  EXPECT_EQ(shown.out.find("rank 0"), std::string::npos) << shown.out;
  EXPECT_EQ(shown.out.find("of sim:0"), std::string::npos) << shown.out;
  EXPECT_EQ(times(shown.out, "\n3 pass | 0 "), 2u) << shown.out;
}

TEST_F(Showing, WhatIsNotThereIsWrongUsageAndNamesWhatIs) {
  for (const auto& [arguments, says] : std::map<std::string, std::string>{
           {"--case pari", "no case is called \"pari\"; this run has pair; did you mean \"pair\"?\n"},
           {"--case pair --candidate shared_series@hardend",
            "no candidate of pair is called \"shared_series@hardend\"; this run has mutant@ring_no_wait, shared_series@hardened; did you "
            "mean "
            "\"shared_series@hardened\"?\n"},
           {"--case pair --ranks 0,9", "--ranks: there is no rank 9; pair has 0, 1\n"},
           {"--case pair --step 4", "--step: there is no step 4; pair has steps 0 to 3: load first, pass last\n"},
           {"--step 1", "reloadlab: --step requires --case\nreloadlab --help says what there is\n"}}) {
    const Ran shown = reloadlab("show " + arguments);
    EXPECT_EQ(shown.exit_code, 64) << arguments;
    EXPECT_EQ(shown.out, "") << arguments;
    EXPECT_EQ(shown.err, says);
  }
}

TEST_F(Showing, CasesWithoutStreamsHaveRingsAndCasesWithoutSeriesHaveNothing) {
  std::string meta = kTwoModels;
  meta.replace(meta.find("kind: sim, ranks: [2]"), 21, "kind: meta, ranks: [2, 3]");
  write("scenarios/pair.yaml", meta);
  small_scenario();
  reloadlab("run --no-expectations --ranks 2");
  const Ran shown = reloadlab("show --case 'pair[ranks=2]'");
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_NE(shown.out.find("no column for each stream: the world meta keeps no times\n\nwindows: "), std::string::npos) << shown.out;
  EXPECT_NE(reloadlab("show --case pair").err.find("did you mean \"pair[ranks=2]\"?"), std::string::npos);
  const Ran none = reloadlab("show --case 'small[ranks=2]'");
  EXPECT_EQ(none.exit_code, 64);
  EXPECT_EQ(none.err, "small[ranks=2] has no series that ran: --case shows streams, windows and races of series\n");
}

}  // namespace
}  // namespace reloadlab::tests
