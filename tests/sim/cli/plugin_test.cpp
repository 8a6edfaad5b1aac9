// Candidates that are shared libraries: those of plugins/, and the template as a stranger builds it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

std::string plugin(const std::string& spelling) { return PLUGINS "/" + spelling; }

class Plugin : public ProgramTest {
 protected:
  Plugin() { small_scenario(); }
  Ran with(const std::string& spelling, const std::string& arguments = "") const {
    return reloadlab(fmt::format("run --ranks 1 {} --candidate '{}'", arguments, plugin(spelling)));
  }
  nlohmann::json results(const Ran& ran) const { return nlohmann::json::parse(result_text(ran))["results"]; }
  // "fail: killed by …", of a law in the first case.
  std::string verdict(const Ran& ran, const std::string& law) const {
    const auto all = results(ran);
    for (const auto& one : all[0]["laws"])
      if (one["law"] == law)
        return one["state"].get<std::string>() + (one.contains("finding") ? ": " + one["finding"]["what"].get<std::string>() : "");
    return "not judged";
  }
  static std::string again(const Ran& ran) {
    const size_t run = ran.err.find(" run ", ran.err.find("  again  "));
    return run == std::string::npos ? "" : ran.err.substr(run + 1, ran.err.find('\n', run) - run - 1);
  }
};

TEST_F(Plugin, OneThatBehavesIsJudgedInAWorkerAndNamedAsItWasAskedFor) {
  const Ran ran = with("wayward.so@behaves", "--law cold_load_equal");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(results(ran)[0]["candidate"], plugin("wayward.so@behaves"));
  EXPECT_EQ(verdict(ran, "survives"), "pass");
}

TEST_F(Plugin, WhatItDoesIsAVerdict) {
  const std::tuple<const char*, const char*, int, const char*> ways[] = {
      {"crashes", "survives", 1, "fail: killed by signal 11 (SIGSEGV)"},
      {"exits", "survives", 1, "fail: left with exit code 0"},
      {"throws", "survives", 1, "fail: an exception crossed the boundary: boom"},
      {"throws_a_number", "survives", 1, "fail: an exception crossed the boundary: an exception that is no std::exception"},
      {"hangs", "survives", 6, "hang: no step began for 3 s"},
      {"null", "survives", 1, "fail: what it makes of itself is null"},
      {"throws_made", "survives", 1, "fail: it cannot be made: an exception crossed the boundary: boom"},
      {"leaks", "no_leak", 1, "fail: "}};
  for (const auto& [way, law, code, says] : ways) {
    const Ran ran = with(std::string("wayward.so@") + way, std::string("--hang-after 3s --law cold_load_equal --law ") +
                                                               (law == std::string("survives") ? "failure_atomic" : law));
    EXPECT_EQ(ran.exit_code, code) << way << ran.err;
    EXPECT_TRUE(verdict(ran, law).starts_with(says)) << way << ": " << verdict(ran, law);
    EXPECT_EQ(reloadlab(again(ran)).exit_code, code) << way << ": " << again(ran);
  }
}

TEST_F(Plugin, ACrashCostsItsCaseOnlyAndSeveralRunAtOnce) {
  const Ran ran =
      reloadlab(fmt::format("run --ranks 1 --law cold_load_equal --candidate '{}' --candidate '{}' --candidate layerwise@hardened",
                            plugin("wayward.so@crashes"), plugin("static_runtime.so@behaves")));
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  std::vector<std::string> states;
  for (const auto& one : results(ran))
    for (const auto& law : one["laws"])
      if (law["law"] == "survives") states.push_back(law["state"]);
  EXPECT_EQ(states, (std::vector<std::string>{"fail", "pass", "pass"}));
}

TEST_F(Plugin, WithoutIsolationItRunsInTheProgram) {
  const Ran ran = with("wayward.so@throws", "--isolate=none --law cold_load_equal");
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_TRUE(again(ran).ends_with("wayward.so@throws --isolate=none")) << ran.err;
  EXPECT_EQ(with("wayward.so@crashes", "--isolate=none --law cold_load_equal").exit_code, 128 + 11);
  const Ran exited = with("wayward.so@exits", "--isolate=none --law cold_load_equal");
  EXPECT_EQ(exited.exit_code, 70) << exited.err;
  EXPECT_NE(exited.err.find("a candidate has ended this process by exit()"), std::string::npos) << exited.err;
}

TEST_F(Plugin, OthersThatNameCandidatesTakeItToo) {
  const std::string named = fmt::format("--candidate '{}'", plugin("wayward.so@behaves"));
  EXPECT_EQ(reloadlab("compare --worlds cpu,sim --ranks 1 " + named).exit_code, 0);
}

// Ranks are threads, and what it issues goes to modelled devices. Without windows it is right about contents and wrong about the ring.
TEST_F(Plugin, ASeriesRunsOnModelledDevicesAndIsExplored) {
  write("ring.yaml", kRing);
  const std::string named = fmt::format(" ring.yaml --candidate '{}'", plugin("eager_series.so"));
  const Ran ran = reloadlab("run" + named), explored = reloadlab("explore" + named);
  for (const char* law : {"ring_content", "ring_happens_before", "ring_sequence", "survives"}) EXPECT_EQ(verdict(ran, law), "pass") << law;
  EXPECT_TRUE(verdict(ran, "ring_lookahead").starts_with("fail: "));
  EXPECT_EQ(explored.exit_code, 1) << explored.out << explored.err;
  const size_t line = explored.out.find(" explore ring.yaml --name ring --candidate ");
  ASSERT_NE(line, std::string::npos) << explored.out;
  const Ran replayed = reloadlab(explored.out.substr(line + 1, explored.out.find('\n', line) - line - 1));
  EXPECT_EQ(replayed.exit_code, 1) << replayed.err;
  EXPECT_NE(replayed.out.find("ring_lookahead: rank 0"), std::string::npos) << replayed.out;
}

TEST_F(Plugin, WhatIsNoneOrWasBuiltOtherwiseIsRefusedAndSaysWhy) {
  write("text.so", "not one");
  const std::tuple<std::string, int, const char*> refusals[] = {
      {"nowhere.so", 64, "nowhere.so: there is no such file\n"},
      {"wayward.so", 64, "it needs a profile: "},
      {"wayward.so@", 64, "no profile is behind the @"},
      {"wayward.so@crash", 64, "no profile is called \"crash\", expected behaves, crashes, exits,"},
      {"wayward.so@crashe", 64, "did you mean \"crashes\"?\n"},
      {"wayward.so@makes_none", 65, "wayward.so@makes_none: not today\n"},
      {"wayward.so@throws_early", 65, "wayward.so@throws_early: boom\n"},
      {"wayward.so@crashes_early", 65, "who opens it and asks for a candidate is killed by signal 11 (SIGSEGV)\n"},
      {"wayward.so@exits_early", 65, "who opens it and asks for a candidate leaves with exit code 0\n"},
      {"wayward.so@empty", 65, "makes neither a reloader nor a series\n"},
      {"does_nothing.so", 65, "makes no candidate: its make function is null\n"},
      {"does_nothing.so", 65, "does_nothing.so: "},
      {"other_magic.so", 65, "its reloadlab_candidate() is another's\n"},
      {"other_abi.so", 65, "is of plug-in ABI 99 ("},
      {"other_torch.so", 65, "was built otherwise than this program: LibTorch is 2.10.0, here 2.11.0 (compiled by 1.2.3)\n"},
      {"other_ndebug.so", 65, ": NDEBUG is not defined, here defined (compiled by"},
      {"other_library.so", 65,
       ": LibTorch is nothing, here 2.11.0; C++ library is libstdc++ with _GLIBCXX_USE_CXX11_ABI=0, here libstdc++ with "
       "_GLIBCXX_USE_CXX11_ABI=1 ("},
      {"other_runtime.so", 65, "says CUDA runtime \"dynamic\", expected none, shared, static\n"},
      {"other_system.so", 65,
       "is for system \"layerwize\", which there is not, expected layerwise, online_quant, shared_series; did you mean"},
      {"says_nothing.so", 65, "is no plug-in: it exports no function reloadlab_candidate(), which RELOADLAB_CANDIDATE(...) makes\n"},
      {"lacks_a_symbol.so", 65, "undefined symbol: _ZN9reloadlab5model4goneEi (reloadlab::model::gone(int))\n"},
      {"lacks_a_symbol_of_other_torch.so", 65, "LibTorch is 2.10.0, here 2.11.0"}};
  for (const auto& [spelling, code, says] : refusals) {
    const Ran ran = with(spelling);
    EXPECT_EQ(ran.exit_code, code) << spelling << ran.err;
    EXPECT_NE(ran.err.find(says), std::string::npos) << spelling << ": " << ran.err;
    EXPECT_EQ(ran.out, "");
  }
  const Ran hangs = reloadlab_with("RELOADLAB_ANSWER_SECONDS=1", "run --candidate " + plugin("wayward.so@hangs_early"));
  EXPECT_EQ(hangs.exit_code, 65);
  EXPECT_NE(hangs.err.find("who opens it and asks for a candidate does not come back within 1 s\n"), std::string::npos) << hangs.err;
  const Ran text = reloadlab("run --candidate text.so"), folder_itself = reloadlab("run --candidate ./scenarios");
  EXPECT_EQ(text.exit_code, 65);
  EXPECT_EQ(text.err, "text.so: is no shared library\n");
  EXPECT_EQ(folder_itself.exit_code, 65);
  EXPECT_EQ(folder_itself.err, "./scenarios: is no shared library\n");
}

// What it does with a CUDA runtime of its own nobody hears: not to be judged is better than to be called right.
TEST_F(Plugin, AStaticRuntimeIsNoHindranceButOnGpus) {
  EXPECT_EQ(with("static_runtime.so@behaves", "--law cold_load_equal").exit_code, 0);
  const Ran ran = reloadlab_with("LD_LIBRARY_PATH=" FAKE_DRIVER " FAKE_GPUS=1",
                                 fmt::format("run --ranks 1 --on cuda --candidate '{}'", plugin("static_runtime.so@behaves")));
  EXPECT_EQ(ran.exit_code, 4) << ran.err;
  EXPECT_NE(results(ran)[0]["reason"].get<std::string>().find("has a CUDA runtime of its own (static)"), std::string::npos) << ran.err;
}

// With nothing of this tree but what is installed.
TEST_F(Plugin, AStrangerBuildsTheTemplateAgainstThePackageAndRunsIt) {
  const Ran built = script(
      "set -e\n"
      "cmake --install '" RELOADLAB_BUILD_DIR
      "' --prefix \"$PWD/installed\" >log\n"
      "cp -r installed/share/reloadlab/template mine\n"
      "cmake -S mine -B mine/build -DCMAKE_PREFIX_PATH=\"$PWD/installed\" >>log 2>&1\n"
      "cmake --build mine/build >>log 2>&1\n");
  ASSERT_EQ(built.exit_code, 0) << built.err << read("log");
  const Ran ran = script("installed/bin/reloadlab run scenarios --candidate mine/build/libmine.so\n");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(results(ran).size(), 2u);
  for (const char* law : {"cold_load_equal", "return_exact", "written_once", "address_stable", "failure_atomic", "no_leak", "survives"})
    EXPECT_EQ(verdict(ran, law), "pass");
}

}  // namespace
}  // namespace reloadlab::tests
