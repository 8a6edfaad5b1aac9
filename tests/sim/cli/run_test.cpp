#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/sim/cli/program_run.h"
#include "tests/sim/report/golden.h"

namespace reloadlab::tests {
namespace {

class Running : public ProgramTest {
 protected:
  // Of the run whose folder the program printed.
  nlohmann::ordered_json result(const Ran& ran) const { return nlohmann::ordered_json::parse(result_text(ran)); }
  // The verdict about whether the candidate came back, of every case.
  std::vector<std::string> survival(const Ran& ran) const {
    std::vector<std::string> said;
    const auto all = result(ran);
    for (const auto& one : all["results"])
      for (const auto& law : one["laws"])
        if (law["law"] == "survives")
          said.push_back(one["candidate"].get<std::string>() + " " + law["state"].get<std::string>() +
                         (law.contains("finding")
                              ? ": " + law["finding"]["what"].get<std::string>() + " at " + law["step_text"].get<std::string>()
                              : ""));
    return said;
  }
};

TEST_F(Running, HardenedHoldsAndTwoRunsAreEqualButForRun) {
  small_scenario();
  const Ran first = reloadlab("run --candidate layerwise@hardened"), second = reloadlab("run --candidate layerwise@hardened --jobs 2");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_TRUE(matches(first.out, "out/{any}-scenarios\n")) << first.out;
  auto one = result(first), other = result(second);
  EXPECT_NE(one["run"], other["run"]);
  one.erase("run");
  other.erase("run");
  EXPECT_EQ(one.dump(1), other.dump(1));
  EXPECT_NE(reloadlab("show").out.find("verdicts"), std::string::npos);
}

TEST_F(Running, TheReportForPeopleIsGolden) {
  small_scenario();
  const Ran ran = reloadlab("run --candidate layerwise@hardened --law cold_load_equal --law no_leak");
  EXPECT_TRUE(is_golden(ran.err, "program.txt"));
}

TEST_F(Running, NothingRanIs4) {
  small_scenario();
  EXPECT_EQ(reloadlab("run --for 0s").exit_code, 4);
}

TEST_F(Running, WhereNoCaseIsLeftToRunItSaysWhichThereAre) {
  small_scenario();
  for (const auto& [arguments, says] : std::map<std::string, std::string>{
           {"--world meta", "no case is for world meta; the 2 cases here are for cpu"},
           {"--ranks 3", "no case has 3 ranks; the 2 cases here have 1, 2"},
           {"--ranks 1 --name '*ranks=2*'", "no case fits all that is asked for; `reloadlab list` shows the 2 cases here"},
           {"--candidate online_quant@seed", "no case is for online_quant@seed; the 2 cases here are of system layerwise"}}) {
    const Ran ran = reloadlab("run " + arguments);
    EXPECT_EQ(ran.exit_code, 4) << arguments;
    EXPECT_EQ(ran.out, "") << arguments;
    EXPECT_EQ(ran.err, "nothing ran: " + says + "\n");
    EXPECT_FALSE(std::filesystem::exists(folder / "out")) << arguments;
  }
}

// A host with a GPU plays them there; any other says why it does not.
TEST_F(Running, OnCudaCasesRunOrSayWhatIsMissing) {
  small_scenario();
  const Ran ran = reloadlab("run --on cuda");
  const bool skipped = ran.out.find("no GPU here") != std::string::npos || ran.err.find("no GPU here") != std::string::npos;
  EXPECT_EQ(ran.exit_code, skipped ? 4 : 0) << ran.out << ran.err;
}

TEST_F(Running, MutantsRunLikeAnyOther) {
  small_scenario();
  const Ran control = reloadlab("run --candidate mutant@none"), leak = reloadlab("run --law no_leak --candidate mutant@layer_kept");
  EXPECT_EQ(control.exit_code, 0) << control.err;
  EXPECT_EQ(leak.exit_code, 1) << leak.err;
  EXPECT_NE(leak.err.find("no_leak"), std::string::npos) << leak.err;
  EXPECT_EQ(reloadlab("run --candidate mutant@nonne").exit_code, 64);
}

TEST_F(Running, BothProfilesRunWithoutACandidate) {
  small_scenario();
  const Ran ran = reloadlab("run --ranks 1 --no-expectations");
  ASSERT_EQ(result(ran)["results"].size(), 2u);
  EXPECT_EQ(result(ran)["results"][0]["candidate"], "layerwise@seed");
  EXPECT_EQ(result(ran)["results"][1]["candidate"], "layerwise@hardened");
}

TEST_F(Running, CasesOfACpuArePlayedOnModelledDevicesAndComeOutTheSame) {
  small_scenario();
  const Ran cpu = reloadlab("run"), devices = reloadlab("run --on sim");
  EXPECT_EQ(devices.exit_code, cpu.exit_code);
  auto plain = result(cpu)["results"], modelled = result(devices)["results"];
  ASSERT_EQ(modelled.size(), plain.size());
  for (size_t i = 0; i < plain.size(); ++i) {
    ASSERT_EQ(modelled[i]["laws"].size(), plain[i]["laws"].size());
    for (size_t law = 0; law < plain[i]["laws"].size(); ++law)
      EXPECT_EQ(modelled[i]["laws"][law]["state"], plain[i]["laws"][law]["state"]) << plain[i]["laws"][law]["law"];
  }
  EXPECT_EQ(reloadlab("run --on sim --world meta").exit_code, 4);
}

TEST_F(Running, ACandidateThatLeavesThePathCostsItsCasesOnly) {
  small_scenario();
  const Ran ran = naughty(
      "run --ranks 1 --isolate --law cold_load_equal --candidate naughty@crash --candidate naughty@abort --candidate naughty@throw "
      "--candidate naughty@exit "
      "--candidate layerwise@hardened");
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_EQ(survival(ran),
            (std::vector<std::string>{"naughty@crash fail: killed by signal 11 (SIGSEGV) at reload to B",
                                      "naughty@abort fail: killed by signal 6 (SIGABRT) at reload to B",
                                      "naughty@throw fail: an exception crossed the boundary: not abandoned: boom at reload to B",
                                      "naughty@exit fail: left with exit code 7 at reload to B", "layerwise@hardened pass"}));
}

TEST_F(Running, AHangIs6AndNamesTheStep) {
  small_scenario();
  const Ran ran =
      naughty("run --ranks 1 --isolate=case --hang-after 3s --candidate naughty@loop --candidate layerwise@hardened --law cold_load_equal");
  EXPECT_EQ(ran.exit_code, 6) << ran.err;
  EXPECT_EQ(survival(ran),
            (std::vector<std::string>{"naughty@loop hang: no step began for 3 s at reload to B", "layerwise@hardened pass"}));
}

// 2^47 bytes are more than a process can address: the allocation fails at once.
TEST_F(Running, ACaseThatIsTooLargeIsBadDataAndNoDefect) {
  write("scenarios/large.yaml",
        "reloadlab: 1\nscenario: large\nabout: Too large.\nsystem: layerwise\n"
        "model: {layers: [{name: up, kind: column_parallel_linear, in: 4194304, out: 4194304, dtype: i64}]}\n"
        "checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}\nsteps: [{load: A}, {reload: B}]\n");
  const Ran ran = reloadlab("run scenarios/large.yaml --candidate layerwise@hardened");
  EXPECT_EQ(ran.exit_code, 65) << ran.err;
  EXPECT_NE(ran.err.find("the case is too large for this machine: layer up: no memory for 140737488355392 bytes\n"), std::string::npos)
      << ran.err;
}

// What follows the program's name on the line that runs a failure again.
std::string again(const Ran& ran) {
  const size_t line = ran.err.find("  again  ");
  const size_t run = ran.err.find(" run ", line);
  return line == std::string::npos ? std::string() : ran.err.substr(run + 1, ran.err.find('\n', run) - run - 1);
}

TEST_F(Running, TheAgainLineOfACrashOrAHangComesToTheSame) {
  small_scenario();
  const Ran hang = naughty("run --ranks 1 --isolate=case --hang-after 3s --candidate naughty@loop --law cold_load_equal");
  EXPECT_TRUE(again(hang).ends_with(" --candidate naughty@loop --isolate=case --hang-after 3s")) << hang.err;
  EXPECT_EQ(naughty(again(hang)).exit_code, 6) << again(hang);
  const Ran crash = naughty("run --ranks 1 --jobs 2 --candidate naughty@crash --law cold_load_equal");
  EXPECT_EQ(crash.exit_code, 1) << crash.err;
  EXPECT_EQ(naughty(again(crash)).exit_code, 1) << again(crash);
}

// abort() in prepare is no rule of the systems and no known bug: nothing but a person can say what it is.
TEST_F(Running, KnownFailuresAreWrittenDownAndHoldOnceAPersonHasExplainedThem) {
  small_scenario();
  const std::string file = "scenarios/expectations/layerwise/small.yaml";
  const std::string arguments = "run --isolate --law cold_load_equal --candidate naughty@abort";
  EXPECT_EQ(naughty(arguments).exit_code, 1);
  const Ran update = naughty(arguments + " --update-expectations");
  EXPECT_EQ(update.exit_code, 1);
  EXPECT_NE(update.err.find(file + ":4:53: why does naughty@abort fail survives?"), std::string::npos) << update.err;
  EXPECT_EQ(naughty(arguments).exit_code, 1);
  EXPECT_EQ(naughty("lint").exit_code, 65);

  std::string text = read(file);
  ASSERT_NE(text.find("rule: \"?\""), std::string::npos) << text;
  write(file, text.replace(text.find("\"?\""), 3, "B16"));
  EXPECT_EQ(naughty(arguments).exit_code, 0);
  EXPECT_EQ(naughty("lint").exit_code, 0);
  EXPECT_EQ(naughty(arguments + " --no-expectations").exit_code, 1);
  write(file, text.replace(text.find("B16"), 3, "ZZ99"));
  const Ran invented = naughty(arguments);
  EXPECT_EQ(invented.exit_code, 65);
  EXPECT_NE(invented.err.find(file + ":4:53: no rule or bug is called \"ZZ99\""), std::string::npos) << invented.err;
}

// Nothing but the seed decides: neither who runs a case nor how many threads there are.
TEST_F(Running, TracesOfSeriesAreTheSameByteForByte) {
  write("scenarios/ring.yaml", kRing);
  std::set<std::string> traces;
  for (const char* threads : {"1", "3"})
    for (const char* jobs : {"--jobs 1", "--jobs 2"}) {
      ::setenv("OMP_NUM_THREADS", threads, 1);
      const Ran ran = reloadlab(std::string("run --no-expectations --seed 5 ") + jobs);
      traces.insert(read(ran.out.substr(0, ran.out.find('\n')) + "/trace.jsonl"));
    }
  ::unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ(traces.size(), 1u);
  EXPECT_NE(traces.begin()->find("\"timeline\""), std::string::npos);
}

// Hosts run ahead of their devices: those that wait for ever in step 2 have issued step 3 by then.
TEST_F(Running, ADeadlockIsInTheStepThatSomethingWaitsFor) {
  write("scenarios/ring.yaml", std::string(kRing) + "  - pass: {ranks: [0]}\n  - pass: {}\n");
  const Ran ran = reloadlab("run --no-expectations --candidate shared_series@seed");
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_NE(ran.err.find("deadlock: nothing can go on"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("(not issued) (step 3: reach"), std::string::npos) << ran.err;
  const Ran lost = reloadlab("run --no-expectations --candidate shared_series@seed --law rank_agreement " RELOADLAB_SOURCE_DIR
                             "/scenarios/shared_series/lost_rank.yaml");
  EXPECT_NE(lost.err.find("rank 0, step 2: pass"), std::string::npos) << lost.err;
}

TEST_F(Running, WhatFailsUnderACaptureIsToldAndNotWhatBecomesOfTheCapture) {
  write("scenarios/ring.yaml", std::string(kRing) + "  - capture: {unreached: blocks.1.o}\n");
  const Ran ran = reloadlab("run --no-expectations --candidate shared_series@hardened");
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_NE(ran.err.find("fails: layer 1 is read where layer 0 was reached last"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.find("never joined"), std::string::npos) << ran.err;
}

// What a series tells its other ranks through the harness's store adds no schedules.
TEST_F(Running, ExploreGoesThroughTheRanksWorkAlone) {
  std::string ring = kRing;
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"ranks: [2]", "ranks: [3]"},
                                 {"- pass: {}", "- pass: {}\n  - pass: {}"},
                                 {"layers: \"blocks.{0..2}.o\"", "layers: \"blocks.{0..2}.o\", prefetch: 1"}})
    ring.replace(ring.find(from), from.size(), to);
  write("scenarios/ring.yaml", ring);
  const Ran held = reloadlab("explore scenarios/ring.yaml --candidate shared_series@hardened");
  EXPECT_EQ(held.exit_code, 0) << held.err;
  EXPECT_NE(held.out.find("  1 execution, 1 trace, 0 redundant"), std::string::npos) << held.out;
}

TEST_F(Running, AnExplorationThatIsCutOffIs2AndSaysSo) {
  write("scenarios/ring.yaml", kRing);
  for (const char* way : {"--unreduced --for 300ms", "--schedules 1000000 --for 300ms", "--for 0s"}) {
    const Ran cut = reloadlab(std::string("explore scenarios/ring.yaml --candidate shared_series@hardened ") + way);
    EXPECT_EQ(cut.exit_code, 2) << way << cut.out;
    EXPECT_TRUE(cut.out.starts_with("cut   ring  shared_series@hardened\n")) << cut.out;
    EXPECT_NE(cut.out.find(", cut off after 0"), std::string::npos) << cut.out;
    EXPECT_NE(cut.out.find("1 of 1 cut off before all of its schedules had run"), std::string::npos) << cut.out;
  }
  EXPECT_EQ(reloadlab("explore scenarios/ring.yaml --candidate shared_series@hardened --schedules 3").exit_code, 0);
}

std::string line_with(const std::string& text, const std::string& words) {
  const size_t at = text.find(words), begin = text.rfind('\n', at) + 1;
  return at == std::string::npos ? "" : text.substr(begin, text.find('\n', at) - begin);
}

// Wrong bytes that come of known races are known, whichever schedule they need; without the file nothing is.
TEST_F(Running, ExploreKnowsWhatIsWrittenDown) {
  write("scenarios/ring.yaml", kRing);
  const std::string explore = "explore scenarios/ring.yaml --candidate mutant@ring_no_wait --schedules 5";
  EXPECT_EQ(reloadlab(explore).exit_code, 1);
  write("scenarios/expectations/shared_series/ring.yaml",
        "reloadlab: 1\nscenario: ring\nknown:\n"
        "  - {candidate: mutant@ring_no_wait, law: ring_happens_before, rule: SW3, execution: warm, step: -1}\n");
  const Ran known = reloadlab(explore);
  EXPECT_EQ(known.exit_code, 0) << known.out << known.err;
  EXPECT_TRUE(known.out.starts_with("known ring  mutant@ring_no_wait\n")) << known.out;
  EXPECT_NE(known.out.find(" × known (SW3): ring_content: "), std::string::npos) << known.out;
  EXPECT_EQ(reloadlab(explore + " --no-expectations").exit_code, 1);
  write("scenarios/expectations/shared_series/ring.yaml",
        "reloadlab: 1\nscenario: ring\nknown:\n"
        "  - {candidate: mutant@ring_no_wait, law: ring_happens_before, quarantine: {until: 2026-12-31, reason: it races}}\n");
  const auto says = [&](const std::string& day) { return reloadlab(explore + " --today " + day).out; };
  EXPECT_NE(says("2026-12-31").find("; in quarantine until 2026-12-31: it races"), std::string::npos);
  EXPECT_NE(says("2027-01-01").find("; its quarantine ended on 2026-12-31: it races"), std::string::npos);
  EXPECT_EQ(reloadlab(explore + " --today tomorrow").exit_code, 64);
  write("scenarios/expectations/shared_series/ring.yaml",
        "reloadlab: 1\nscenario: ring\nknown:\n"
        "  - {candidate: shared_series@hardened, law: ring_content, rule: SW3, execution: warm, step: 1}\n");
  EXPECT_EQ(reloadlab("explore scenarios/ring.yaml --candidate shared_series@hardened").exit_code, 5);
  EXPECT_EQ(reloadlab("explore scenarios/ring.yaml --candidate shared_series@hardened --schedules 3").exit_code, 0);
}

TEST_F(Running, ExploreTellsHangs) {
  write("scenarios/ring.yaml", kRing);
  const Ran polls = naughty("explore scenarios/ring.yaml --candidate stuck@polls --for 3s");
  EXPECT_EQ(polls.exit_code, 6) << polls.out << polls.err;
  EXPECT_NE(polls.out.find("HANG  ring  stuck@polls\n"), std::string::npos) << polls.out;
  const Ran stuck = naughty("explore scenarios/ring.yaml --candidate shared_series@hardened --candidate stuck@mutex --hang-after 2s");
  EXPECT_EQ(stuck.exit_code, 6) << stuck.out << stuck.err;
  EXPECT_NE(stuck.out.find("ok    ring  shared_series@hardened\n"), std::string::npos) << stuck.out;
  EXPECT_NE(stuck.out.find("HANG  ring  stuck@mutex\n  rank 0 has reached no operation of the modelled world for 2 s\n"), std::string::npos)
      << stuck.out;
}

TEST_F(Running, WithoutWorkersNobodySeesAHang) {
  small_scenario();
  EXPECT_EQ(reloadlab("run --hang-after 3s").exit_code, 64);
  EXPECT_NE(reloadlab("run --hang-after 3s").err.find("--hang-after needs --isolate or --jobs"), std::string::npos);
}

TEST_F(Running, ExploreGoesThroughEveryScheduleThatDiffers) {
  write("scenarios/ring.yaml", kRing);
  const Ran held = reloadlab("explore scenarios/ring.yaml --candidate shared_series@seed");
  EXPECT_EQ(held.exit_code, 0) << held.err;
  EXPECT_TRUE(matches(held.out, "ok    ring  shared_series@seed\n  1 execution, 1 trace, 0 redundant, {any} s, exhausted\n{any}"))
      << held.out;
  const Ran raced = reloadlab("explore scenarios/ring.yaml --candidate mutant@ring_no_wait");
  EXPECT_EQ(raced.exit_code, 1) << raced.err;
  EXPECT_NE(raced.out.find("wrong bytes in one of the two orders: blocks."), std::string::npos) << raced.out;
  const std::string command = line_with(raced.out, "--schedule ");
  const Ran again = reloadlab(command.substr(command.find(" explore ") + 1));
  EXPECT_EQ(again.exit_code, 1) << command << again.err;
  EXPECT_TRUE(again.out.starts_with("FAIL  ring  mutant@ring_no_wait\n  1 execution, ")) << again.out;
  const std::string schedule = command.substr(command.find("--schedule "));
  const Ran other = reloadlab("explore scenarios/ring.yaml --candidate shared_series@hardened " + schedule);
  EXPECT_EQ(other.exit_code, 65) << other.out << other.err;
  EXPECT_NE(other.err.find("the schedule is of another program: "), std::string::npos) << other.err;
  EXPECT_NE(other.err.find("it is of another file or candidate, or of another version of these"), std::string::npos) << other.err;
  const Ran both = reloadlab("explore scenarios/ring.yaml --candidate mutant@ring_no_wait --candidate shared_series@hardened " + schedule);
  EXPECT_EQ(both.exit_code, 1) << both.out << both.err;
  EXPECT_NE(both.out.find("1 of 2 left out: the schedule is of another case"), std::string::npos) << both.out;
  EXPECT_EQ(reloadlab("explore scenarios/ring.yaml --schedule nonsense").exit_code, 65);
  EXPECT_EQ(reloadlab("explore scenarios/ring.yaml --schedules 3 --timed").exit_code, 64);
}

// A schedule that a filter keeps from its case is told whose it is.
TEST_F(Running, ExploreSaysWhoseAScheduleIs) {
  std::string two = kRing;
  two.replace(two.find("[2]"), 3, "[2, 3]");
  write("scenarios/ring.yaml", two);
  const std::string command = line_with(
      reloadlab("explore scenarios/ring.yaml --ranks 3 --schedules 20 --for 1s --candidate mutant@ring_no_wait").out, "--schedule ");
  const std::string schedule = command.substr(command.find("--schedule "));
  const Ran fewer = reloadlab("explore scenarios/ring.yaml --ranks 2 --candidate mutant@ring_no_wait " + schedule);
  EXPECT_EQ(fewer.exit_code, 65) << fewer.out;
  EXPECT_NE(fewer.err.find("the schedule is of another case: --name 'ring[ranks=3]' --candidate mutant@ring_no_wait"), std::string::npos)
      << fewer.err;
}

// Code that reaches the modelled world again is stopped there; code that does not takes its worker with it. The other cases still count.
TEST_F(Running, SeriesThatNeverComeBackAreHangsWithThePictureOfWhoWaits) {
  write("scenarios/ring.yaml", kRing);
  const Ran ran = naughty(
      "run --isolate=case --hang-after 8s --no-expectations --candidate stuck@forever --candidate stuck@mutex --candidate stuck@catches "
      "--candidate stuck@polls --candidate shared_series@hardened --law ring_content");
  EXPECT_EQ(ran.exit_code, 6) << ran.err;
  const std::vector<std::string> said = survival(ran);
  ASSERT_EQ(said.size(), 5u) << ran.err;
  constexpr std::string_view kUnheard =
      " hang: rank 0 has reached no operation of the modelled world for 2 s; host 0 runs (step 1: reach blocks.0.o); ";
  for (size_t i = 0; i < 3; ++i) EXPECT_NE(said[i].find(kUnheard), std::string::npos) << said[i];
  for (size_t i = 0; i < 2; ++i) EXPECT_NE(said[i].find(std::string(kUnheard) + "host 1 "), std::string::npos) << said[i];
  // It waits for a barrier, was told to stop when nobody else could come to it, and does not let go.
  EXPECT_NE(said[2].find("waits for barrier #0 of all: rank 1 (not issued) (step 1: reach blocks.0.o)"), std::string::npos) << said[2];
  EXPECT_NE(said[3].find(" hang: hang: hosts only ask whether something is done"), std::string::npos) << said[3];
  EXPECT_NE(ran.err.find("broadcast #0 of all: rank 1 (not issued)"), std::string::npos) << ran.err;
  EXPECT_EQ(said[4], "shared_series@hardened pass");
}

// However little patience there is, who knows what everybody waits for speaks before who only knows that nothing was heard.
TEST_F(Running, AHangHasItsPictureWhereItIsToBeFoundQuickly) {
  write("scenarios/ring.yaml", kRing);
  const Ran ran = naughty(
      "run --isolate=case --hang-after 1s --no-expectations --candidate stuck@forever --candidate stuck@catches --law ring_content");
  EXPECT_EQ(ran.exit_code, 6) << ran.err;
  for (const std::string& said : survival(ran))
    EXPECT_NE(said.find(" hang: rank 0 has reached no operation of the modelled world for 0.25 s; host 0 runs"), std::string::npos) << said;
}

}  // namespace
}  // namespace reloadlab::tests
