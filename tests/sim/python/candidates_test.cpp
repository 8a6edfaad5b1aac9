// Candidates that are Python classes, those of candidates/: found, refused, played, and what they do is a verdict.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

class Python : public ProgramTest {
 protected:
  Python() { small_scenario(); }
  Ran with(const std::string& named, const std::string& arguments = "") const {
    return reloadlab_with("PYTHONPATH=" CANDIDATES, fmt::format("run --ranks 1 {} --candidate {}", arguments, named));
  }
  nlohmann::json results(const Ran& ran) const { return nlohmann::json::parse(result_text(ran))["results"]; }
  // "fail: …", of a law in the case of that number.
  std::string verdict(const Ran& ran, const std::string& law, size_t number = 0) const {
    const auto all = results(ran);
    for (const auto& one : all.at(number)["laws"])
      if (one["law"] == law)
        return one["state"].get<std::string>() + (one.contains("finding") ? ": " + one["finding"]["what"].get<std::string>() : "");
    return "not judged";
  }
};

TEST_F(Python, OneThatReloadsInPlaceKeepsTheLaws) {
  const Ran ran = with("python:in_place:InPlace");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(results(ran)[0]["candidate"], "python:in_place:InPlace");
  for (const char* law : {"cold_load_equal", "return_exact", "written_once", "address_stable", "no_residue", "failure_atomic", "no_leak",
                          "event_order", "survives"})
    EXPECT_EQ(verdict(ran, law), "pass") << law << ran.err;
}

TEST_F(Python, WhatItDoesIsAVerdict) {
  const std::tuple<const char*, const char*, int, const char*> ways[] = {
      {"wayward:Raises", "survives", 1, "fail: an exception crossed the boundary: ValueError: boom (wayward.py:"},
      {"wayward:RaisesNoWord", "survives", 1, "fail: an exception crossed the boundary: KeyboardInterrupt (wayward.py:31 in finish)"},
      {"wayward:RaisesWhenAsked", "survives", 1,
       "fail: an exception crossed the boundary: AttributeError: 'RaisesWhenAsked' object has no attribute 'spoiled' (wayward.py:"},
      {"wayward:RaisesInLoader", "survives", 1, "fail: an exception crossed the boundary: not abandoned: KeyError: 'q' (wayward.py:"},
      {"wayward:RaisesInBoth", "survives", 1,
       "fail: an exception crossed the boundary: not abandoned (ZeroDivisionError: nothing to go back to (wayward.py:"},
      {"wayward:Crashes", "survives", 1, "fail: killed by signal 11 (SIGSEGV)"},
      {"wayward:Hangs", "survives", 6, "hang: no step began for 1 s"},
      {"wayward:Refuses", "survives", 1, "pass"},
      {"wayward:RefusesInItsWay", "survives", 1, "pass"},
      {"wayward:Leaks", "no_leak", 1, "fail: "},
      {"wayward:MovesAddresses", "address_stable", 1, "fail: "},
      {"in_place:Skips", "cold_load_equal", 1, "fail: "}};
  std::string named, others;
  for (const auto& [way, law, code, says] : ways) {
    if (code == 6) continue;
    named += fmt::format(" --candidate python:{}", way);
  }
  const Ran ran = with("python:wayward:Behaves" + named, "");
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  size_t number = 0;
  for (const auto& [way, law, code, says] : ways) {
    if (code == 6) continue;
    EXPECT_TRUE(verdict(ran, law, ++number).starts_with(says)) << way << ": " << verdict(ran, law, number);
    EXPECT_EQ(verdict(ran, law, number).find(") ("), std::string::npos) << "its place twice: " << verdict(ran, law, number);
  }
  const Ran hangs = with("python:wayward:Hangs", "--hang-after 1s --law cold_load_equal");
  EXPECT_EQ(hangs.exit_code, 6) << hangs.err;
  const std::string said = verdict(hangs, "survives");
  EXPECT_TRUE(said.starts_with("hang: no step began for 1 s; Python is at wayward.py:") && said.ends_with(" in finish")) << said;
}

TEST_F(Python, WhatItDeclaresIsReadBeforeAnythingRuns) {
  const Ran ran = with("python:wayward:DeclaresSomethingElse");
  EXPECT_EQ(ran.exit_code, 65) << ran.out;
  EXPECT_NE(ran.err.find("declares completion=\"finsh\", expected elements, finish, numel; did you mean \"finish\"?"), std::string::npos);
  EXPECT_EQ(ran.out, "");
}

TEST_F(Python, TensorsOfAnyKindAreLookedAt) {
  const Ran ran = with(
      "python:wayward:PutsComplex --candidate python:wayward:PutsSparse --candidate python:wayward:PutsNested "
      "--candidate python:wayward:PutsQuantized",
      "");
  EXPECT_EQ(ran.exit_code, 1) << ran.out << ran.err;  // a load that fails leaves half of an update
  for (size_t candidate = 0; candidate < 4; ++candidate) EXPECT_EQ(verdict(ran, "cold_load_equal", candidate), "pass") << candidate;
}

// Such a function gets one argument too many, and says so without a look at what is in them.
TEST_F(Python, ALoaderThatIsBoundToItsParameterIsRefused) {
  write("free.yaml",
        "reloadlab: 1\nscenario: free\nabout: A loader that is a free function.\nsystem: layerwise\nworld: {kind: cpu, ranks: [1]}\n"
        "model:\n  layers:\n    - {name: up, kind: column_parallel_linear, in: 4, out: 6, loader: free}\n"
        "checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}\nsteps:\n  - load: A\n  - reload: B\n");
  const Ran ran = with("python:wayward:BindsLoaders", "free.yaml");
  const std::string said = verdict(ran, "failure_atomic");
  EXPECT_NE(said.find("TypeError: weight_loader() takes 2 positional arguments but 3 were given"), std::string::npos) << said;
  EXPECT_EQ(verdict(ran, "survives"), "pass") << "a load that fails is no crash";
  EXPECT_EQ(verdict(ran, "no_residue"), "pass") << ran.err;
}

// The layer's own runs where it is called, and what stands around it is part of the forward.
TEST_F(Python, AForwardThatIsWrappedIsCalledFromWithin) {
  write("forward.yaml",
        "reloadlab: 1\nscenario: forward\nabout: What the layer computes.\nsystem: layerwise\nworld: {kind: cpu, ranks: [1]}\n"
        "model:\n  dtype: f32\n  layers:\n    - {name: up, kind: column_parallel_linear, in: 4, out: 6}\n"
        "checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}\nsteps:\n  - load: A\n  - reload: B\n  - forward: {}\n");
  const std::tuple<const char*, const char*, const char*> ways[] = {
      {"WrapsForward", "cold_load_equal", "pass"},
      {"DoublesInForward", "cold_load_equal", "fail: the forward gives another output"},
      {"LeavesForwardOut", "failure_atomic",
       "fail: failed, should have gone through: up: what stands in the place of up's forward never calls it"},
      {"CallsForwardTwice", "failure_atomic", "fail: failed, should have gone through: up: a forward calls the layer's own twice"}};
  std::string named = "forward.yaml";
  for (const auto& [way, law, says] : ways) named += fmt::format(" --candidate python:wayward:{}", way);
  const Ran ran = reloadlab_with("PYTHONPATH=" CANDIDATES, "run --law cold_load_equal --law failure_atomic " + named);
  size_t number = 0;
  for (const auto& [way, law, says] : ways) {
    const std::string said = verdict(ran, law, number++);
    EXPECT_TRUE(said.starts_with(says)) << way << ": " << said;
  }
}

// What is still there of a model that is gone is counted as its layers, as for any candidate.
TEST_F(Python, WhoKeepsModelsLeaksAndWhoDoesNotLeavesNothing) {
  write("gone.yaml",
        "reloadlab: 1\nscenario: gone\nabout: The model dies.\nsystem: layerwise\nworld: {kind: cpu, ranks: [1]}\n"
        "model:\n  dtype: f32\n  layers:\n    - {name: up, kind: column_parallel_linear, in: 4, out: 6}\n"
        "checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}\nsteps:\n  - load: A\n  - reload: B\n  - destroy: {}\n");
  const Ran ran = with("python:in_place:InPlace --candidate python:wayward:KeepsModels gone.yaml", "--law no_leak");
  EXPECT_EQ(verdict(ran, "no_leak", 0), "pass") << ran.err;
  EXPECT_EQ(verdict(ran, "no_leak", 1), "fail: 1 layer outlives the model") << ran.err;
}

// What only waits for Python's collector is not held: it is gone when parameters are counted.
TEST_F(Python, WhatHoldsItselfIsNotHeld) {
  const Ran ran = with("python:wayward:HoldsItself", "--law no_leak");
  EXPECT_EQ(verdict(ran, "no_leak"), "pass") << ran.err;
}

// find_test.py has the others.
TEST_F(Python, WhatIsNoCandidateIsRefusedAndSaysWhy) {
  write("breaks.py", "import reloadlab\nraise RuntimeError('not today')\n");
  write("crashes.py", "import os\nos.kill(os.getpid(), 11)\n");
  write("leaves.py", "import sys\nsys.exit(0)\n");
  const std::tuple<const char*, int, const char*> refusals[] = {
      {"python:nowhere:Mine", 64, "no module is called \"nowhere\": looked in the current folder and on PYTHONPATH\n"},
      {"python:breaks:Mine", 65, "breaks cannot be imported: RuntimeError: not today ("},
      {"python:crashes:Mine", 65, "who imports it is killed by signal 11 (SIGSEGV)\n"},
      {"python:leaves:Mine", 65, "who imports it leaves with exit code 0\n"},
      {"vllm@0.0.1", 64, ": ci/setup --peers vllm==0.0.1\n"}};
  for (const auto& [spelling, code, says] : refusals) {
    const Ran ran = with(spelling);
    EXPECT_EQ(ran.exit_code, code) << spelling << ran.err;
    EXPECT_TRUE(ran.err.starts_with(spelling)) << ran.err;
    EXPECT_NE(ran.err.find(says), std::string::npos) << spelling << ": " << ran.err;
    EXPECT_EQ(ran.out, "");
  }
  write("bare", "#!/bin/sh\necho 'python3: No module named reloadlab' >&2\nexit 1\n");
  std::filesystem::permissions(folder / "bare", std::filesystem::perms::owner_all);
  const Ran bare = reloadlab_with("RELOADLAB_PYTHON=" + (folder / "bare").string(), "run --candidate python:wayward:Behaves");
  EXPECT_EQ(bare.exit_code, 65);
  EXPECT_NE(bare.err.find("that python has no package reloadlab: pip install it there, or set PYTHONPATH"), std::string::npos) << bare.err;
  const Ran none = reloadlab_with("RELOADLAB_PYTHON=/nowhere/python", "run --candidate python:wayward:Behaves");
  EXPECT_EQ(none.exit_code, 64) << none.err;
  EXPECT_NE(none.err.find("\"/nowhere/python\" (RELOADLAB_PYTHON) is none: set RELOADLAB_PYTHON\n"), std::string::npos) << none.err;
}

TEST_F(Python, AnImportThatHangsIsEndedAfterAWhile) {
  write("hangs.py", "import time\nwhile True: time.sleep(1)\n");
  const Ran hangs = reloadlab_with("RELOADLAB_ANSWER_SECONDS=1", "run --candidate python:hangs:Mine");
  EXPECT_EQ(hangs.exit_code, 65) << hangs.err;
  EXPECT_EQ(hangs.err, "python:hangs:Mine: who imports it does not come back within 1 s\n");
  const Ran soon = reloadlab_with("RELOADLAB_ANSWER_SECONDS=soon", "run --candidate python:hangs:Mine");
  EXPECT_EQ(soon.exit_code, 64);
  EXPECT_EQ(soon.err, "RELOADLAB_ANSWER_SECONDS: \"soon\" is no number of seconds from 1 to 3600\n");
}

TEST_F(Python, OtherCommandsAndItsOwnModuleTakeItToo) {
  const Ran compared = reloadlab_with("PYTHONPATH=" CANDIDATES, "compare --worlds cpu,sim --ranks 1 --candidate python:in_place:InPlace");
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
  const Ran here = with("python:in_place:InPlace", "--isolate=none --law cold_load_equal");
  EXPECT_EQ(here.exit_code, 0) << here.err;
  const Ran module =
      script("PYTHONPATH=" CANDIDATES ":" PACKAGE " " PYTHON
             " -m reloadlab run --ranks 1 --law cold_load_equal --candidate python:in_place:InPlace --candidate layerwise@hardened\n");
  EXPECT_EQ(module.exit_code, 0) << module.err;
  EXPECT_EQ(results(module).size(), 2u);
}

TEST_F(Python, AnExceptionAtTheMakingIsOfThatCaseAlone) {
  const Ran ran = with("python:wayward:ThrowsEarly", "--law cold_load_equal");
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_TRUE(verdict(ran, "survives").starts_with("fail: ")) << verdict(ran, "survives");
  EXPECT_NE(verdict(ran, "survives").find("ValueError: too early"), std::string::npos) << verdict(ran, "survives");
}

}  // namespace
}  // namespace reloadlab::tests
