// Every check is seen to fail, on trees of a few lines, and to hold on what it must let through.
#include "tests/tidy/checks.h"

#include <gtest/gtest.h>

namespace reloadlab::tidy {
namespace {

// The one complaint of a check; "none", or all of them, when it is not exactly one.
std::string only(const Complaints& complaints) {
  if (complaints.empty()) return "none";
  std::string text = complaints[0];
  for (size_t i = 1; i < complaints.size(); ++i) text += "\n" + complaints[i];
  return text;
}

TEST(Arrows, ReferenceMustNotIncludeSim) {
  Tree tree = {{"reference/model/a.cpp", {"// a", "#include \"sim/law/law.h\""}}, {"sim/law/law.h", {}}};
  EXPECT_EQ(
      only(check_arrows(tree)),
      "reference/model/a.cpp:2: reference/model must not include \"sim/law/law.h\", use what the arrows of tests/tidy/arrows.cpp allow, or "
      "turn the dependency around");
}

TEST(Arrows, PointOneWayOnly) {
  auto complaint = [](std::string from, std::string to) { return only(check_arrows({{from, {"#include \"" + to + "\""}}, {to, {}}})); };
  for (auto [from, to] : std::vector<std::pair<std::string, std::string>>{{"reference/base/a.h", "reference/model/layer.h"},
                                                                          {"reference/model/a.h", "reference/layerwise/engine.h"},
                                                                          {"sim/scenario/a.h", "sim/evidence/evidence.h"},
                                                                          {"sim/evidence/a.h", "sim/law/law.h"},
                                                                          {"sim/law/a.cpp", "sim/replay/replay.h"},
                                                                          {"sim/law/a.cpp", "sim/checkpoint/checkpoint.h"},
                                                                          {"sim/candidate/a.cpp", "reference/layerwise/engine.h"},
                                                                          {"sim/replay/a.cpp", "sim/report/report.h"},
                                                                          {"sim/report/a.cpp", "sim/cli/cli.h"},
                                                                          {"sim/report/a.cpp", "sim/replay/replay.h"},
                                                                          {"sim/campaign/a.cpp", "sim/world/world.h"},
                                                                          {"sim/report/a.cpp", "tests/x.h"},
                                                                          {"tests/reference/model/a.cpp", "sim/law/law.h"}}) {
    EXPECT_TRUE(complaint(from, to).starts_with(from + ":1: ")) << from << " -> " << to;
    EXPECT_EQ(complaint(to, to), "none") << to;
  }
  for (auto [from, to] : std::vector<std::pair<std::string, std::string>>{{"reference/base/a.h", "reference/base/b.h"},
                                                                          {"reference/model/kinds/a.cpp", "reference/model/layer.h"},
                                                                          {"reference/layerwise/a.cpp", "reference/model/layer.h"},
                                                                          {"sim/law/a.cpp", "reference/base/status.h"},
                                                                          {"sim/law/a.cpp", "sim/checkpoint/digits.h"},
                                                                          {"sim/candidate/builtin.cpp", "reference/layerwise/engine.h"},
                                                                          {"sim/replay/a.cpp", "sim/world/world.h"},
                                                                          {"sim/cli/a.cpp", "sim/report/report.h"},
                                                                          {"sim/campaign/a.cpp", "sim/report/report.h"},
                                                                          {"tests/sim/law/a.cpp", "sim/law/law.h"}}) {
    EXPECT_EQ(complaint(from, to), "none") << from << " -> " << to;
  }
}

TEST(Arrows, APathIsFromTheRootAndItsFolderIsKnown) {
  EXPECT_EQ(only(check_arrows({{"sim/law/a.cpp", {"#include \"law.h\""}}, {"sim/law/law.h", {}}})),
            "sim/law/a.cpp:1: \"law.h\" is no file of ours, use the path from the root in quotes, or <> for others' headers");
  EXPECT_EQ(only(check_arrows({{"sim/new/a.cpp", {}}})),
            "sim/new/a.cpp:1: a folder without arrows, use a row in the table of tests/tidy/arrows.cpp");
}

TEST(Arrows, TheReadmeTellsEachRowOfTheHarness) {
  const Complaints all = check_arrows_told({});
  ASSERT_GT(all.size(), 5u);
  EXPECT_EQ(all[0], "sim/README.md:1: the arrows of sim/scenario are not told, use | `sim/scenario` | `reference/model` |");
  EXPECT_EQ(check_arrows_told({{"sim/README.md", {"| `sim/scenario` | `reference/model` |"}}}).size(), all.size() - 1);
  EXPECT_EQ(check_arrows_told({{"sim/README.md", {"| `sim/scenario` | `reference` |"}}}).size(), all.size());
}

// The rows of the table that name files must exist; these trees hold none of them.
Complaints about(const Complaints& complaints, std::string_view path) {
  Complaints found;
  for (const std::string& complaint : complaints)
    if (complaint.starts_with(path)) found.push_back(complaint);
  return found;
}

TEST(TensorFree, NoTensorHeaderDirectlyOrThroughOurs) {
  Tree tree = {{"sim/law/a.cpp", {"#include <ATen/ATen.h>"}},
               {"sim/law/b.cpp", {"#include <string>", "#include \"sim/law/b.h\""}},
               {"sim/law/b.h", {"#include \"reference/model/layer.h\""}},
               {"sim/law/c.cpp", {"#include \"reference/model/kind.h\"", "#include <torchlike.h>"}},
               {"sim/replay/d.cpp", {"#include <c10/core/Device.h>"}},
               {"reference/model/kind.h", {}},
               {"reference/model/layer.h", {"#include <vector>", "#include <torch/library.h>"}}};
  Complaints complaints = check_tensor_free(tree);
  EXPECT_EQ(only(about(complaints, "sim/law/a.cpp")),
            "sim/law/a.cpp:1: LibTorch where no tensor is needed: ATen/ATen.h, use a header without tensors");
  EXPECT_EQ(only(about(complaints, "sim/law/b.cpp")),
            "sim/law/b.cpp:2: LibTorch where no tensor is needed: sim/law/b.h -> reference/model/layer.h -> torch/library.h, use a header "
            "without tensors");
  EXPECT_EQ(only(about(complaints, "sim/law/c.cpp")), "none");
  EXPECT_EQ(only(about(complaints, "sim/replay")), "none");
}

TEST(TensorFree, IncludesThatGoInCirclesEnd) {
  Tree tree = {{"sim/law/a.h", {"#include \"sim/law/b.h\""}}, {"sim/law/b.h", {"#include \"sim/law/a.h\""}}};
  EXPECT_EQ(only(about(check_tensor_free(tree), "sim/law")), "none");
}

TEST(TensorFree, AFileOfTheTableThatIsGoneIsNamed) {
  EXPECT_EQ(only(about(check_tensor_free({}), "sim/checkpoint/names.cpp")),
            "sim/checkpoint/names.cpp:1: is to be free of tensors and does not exist, use its new name in tests/tidy/arrows.cpp");
}

TEST(Readmes, AFolderWithSourcesHasOneOfAScreen) {
  EXPECT_EQ(only(check_readmes({{"sim/law/a.cpp", {}}})),
            "sim/law/README.md:1: a folder without a README.md, use a screen: what lives here, what it may use, where to start");
  EXPECT_EQ(only(check_readmes({{"sim/law/a.cpp", {}}, {"sim/law/README.md", std::vector<std::string>(61)}})),
            "sim/law/README.md:61: 61 lines, use at most 60, a screen");
  EXPECT_EQ(only(check_readmes({{"sim/law/a.cpp", {}}, {"sim/law/README.md", std::vector<std::string>(60)}})), "none");
}

TEST(Readmes, FoldersOfScenariosScriptsAndModulesNeedOneAndDataIsExplainedAbove) {
  for (std::string path : {"scenarios/new/a.yaml", "ci/demo", "cmake/a.cmake", "tests/CMakeLists.txt"})
    EXPECT_EQ(check_readmes({{path, {}}}).size(), 1u) << path;
  EXPECT_EQ(only(check_readmes({{"tests/sim/report/golden/a.txt", {}}, {"scenarios/expectations/layerwise/a.yaml", {}}})), "none");
}

TEST(Readmes, WhatIsPrintedIntoOneIsNotReadThrough) {
  std::vector<std::string> lines(60);
  lines.push_back("<!-- keys -->");
  lines.resize(400);
  EXPECT_EQ(only(check_readmes({{"scenarios/a.yaml", {}}, {"scenarios/README.md", lines}})), "none");
}

TEST(Readmes, AMirroredFolderOfTestsNeedsNone) {
  EXPECT_EQ(only(check_readmes({{"tests/sim/law/a.cpp", {}}, {"sim/law/README.md", {}}})), "none");
  EXPECT_EQ(check_readmes({{"tests/properties/a.cpp", {}}}).size(), 1u);
}

TEST(Registration, ASourceIsInTheListOfItsFolderOrOneAbove) {
  Tree tree = {{"CMakeLists.txt", {"add_subdirectory(sim)"}},
               {"sim/CMakeLists.txt", {"add_library(x a.cpp", "  deep/b.cpp)  # c.cpp"}},
               {"sim/a.cpp", {}},
               {"sim/deep/b.cpp", {}}};
  EXPECT_EQ(only(check_registration(tree)), "none");
  tree["sim/c.cpp"];
  EXPECT_EQ(only(check_registration(tree)),
            "sim/c.cpp:1: a source in no CMakeLists.txt, use a line in its folder's CMakeLists.txt, or git rm");
  tree.erase("sim/c.cpp");
  tree["sim/other/a.cpp"];
  EXPECT_EQ(check_registration(tree).size(), 1u);
}

TEST(Registration, AFolderIsAddedByTheOneAbove) {
  EXPECT_EQ(only(check_registration({{"CMakeLists.txt", {"# add_subdirectory(sim)"}}, {"sim/CMakeLists.txt", {}}})),
            "sim/CMakeLists.txt:1: a folder that no CMakeLists.txt adds, use add_subdirectory in the folder above");
}

TEST(DeadHeaders, AHeaderIsIncludedByItsWholePath) {
  Tree tree = {{"sim/a.h", {}}, {"sim/a.cpp", {"#include \"sim/a.h\""}}};
  EXPECT_EQ(only(check_dead_headers(tree)), "none");
  tree["sim/a.cpp"] = {"#include \"other/sim/a.h\""};
  EXPECT_EQ(only(check_dead_headers(tree)), "sim/a.h:1: a header that nothing includes, use it, or git rm");
}

const std::vector<std::string> mine = {"reloadlab: 1", "scenario: tied-head", "system: layerwise"};
const std::vector<std::string> said = {"Folders: `layerwise/` one file for each rule"};

TEST(Scenarios, OneIsRegisteredByItsNameAndItsFolder) {
  Tree tree = {{"scenarios/README.md", said}, {"scenarios/layerwise/tied_head.yaml", mine}};
  EXPECT_EQ(only(check_scenarios(tree)), "none");
  tree["scenarios/layerwise/other.yaml"] = mine;
  EXPECT_EQ(only(check_scenarios(tree)),
            "scenarios/layerwise/other.yaml:1: a scenario that is not called as its file, use scenario: other");
  tree.erase("scenarios/layerwise/other.yaml");
  tree["scenarios/new/mine.yaml"] = {"scenario: mine"};
  EXPECT_EQ(only(check_scenarios(tree)),
            "scenarios/new/mine.yaml:1: a scenario in a folder that is not registered, use `new/` in scenarios/README.md");
}

TEST(Scenarios, TwoOfOneNameAndAFileThatNoRunFindsAreNamed) {
  Tree tree = {{"scenarios/README.md", {"`layerwise/` and `models/`"}},
               {"scenarios/layerwise/tied_head.yaml", mine},
               {"scenarios/models/tied_head.yaml", mine}};
  EXPECT_EQ(only(check_scenarios(tree)),
            "scenarios/models/tied_head.yaml:1: a scenario that is called as scenarios/layerwise/tied_head.yaml, use a name of its own");
  tree.erase("scenarios/models/tied_head.yaml");
  tree["scenarios/layerwise/old.yaml.orig"];
  EXPECT_EQ(only(check_scenarios(tree)),
            "scenarios/layerwise/old.yaml.orig:1: a file that no run finds, use a name that ends in .yaml, or git rm");
}

TEST(Scenarios, ExpectationsBelongToAScenarioOfTheirSystem) {
  Tree tree = {{"scenarios/README.md", said},
               {"scenarios/layerwise/tied_head.yaml", mine},
               {"scenarios/expectations/README.md", {}},
               {"scenarios/expectations/layerwise/tied-head.yaml", {"scenario: tied-head"}}};
  EXPECT_EQ(only(check_scenarios(tree)), "none");
  tree["scenarios/expectations/layerwise/gone.yaml"] = {"scenario: gone"};
  EXPECT_EQ(only(check_scenarios(tree)),
            "scenarios/expectations/layerwise/gone.yaml:1: expectations of no scenario of layerwise, use the name of one, or git rm");
  tree.erase("scenarios/expectations/layerwise/gone.yaml");
  tree["scenarios/expectations/layerwise/tied-head.yaml"] = {"scenario: tide-head"};
  EXPECT_EQ(
      only(check_scenarios(tree)),
      "scenarios/expectations/layerwise/tied-head.yaml:1: expectations that are not called as their scenario, use scenario: tied-head");
  tree.erase("scenarios/expectations/layerwise/tied-head.yaml");
  tree["scenarios/expectations/online_quant/tied-head.yaml"] = {"scenario: tied-head"};
  EXPECT_EQ(check_scenarios(tree).size(), 1u);
}

TEST(Scenarios, TablesOfReleasesTellAllOfTheirSystem) {
  Tree tree = {{"scenarios/online_quant/oq_abort.yaml", {"scenario: oq-abort", "system: online_quant"}},
               {"scenarios/layerwise/padded.yaml", {"scenario: padded", "system: layerwise"}},
               {"scenarios/models/oq_large.yaml", {"scenario: oq-large", "system: online_quant"}},
               {"scenarios/expectations/releases/vllm-oq@0.13.0.txt", {"  cold", "oq-abort-late ×2  ok"}}};
  EXPECT_EQ(only(check_release_tables(tree)),
            "scenarios/expectations/releases/vllm-oq@0.13.0.txt:1: no row for scenarios/online_quant/oq_abort.yaml, "
            "use ci/peers --keep vllm-oq@0.13.0");
  tree["scenarios/expectations/releases/vllm-oq@0.13.0.txt"].push_back("oq-abort ×2  FAIL");
  EXPECT_EQ(only(check_release_tables(tree)), "none");
  tree["scenarios/bugs/l16.yaml"] = {"scenario: l16", "system: online_quant"};
  tree["scenarios/models/small_shrunk.yaml"] = {"scenario: small-shrunk", "system: online_quant"};
  EXPECT_EQ(check_release_tables(tree).size(), 2u);
}

TEST(DeadFiles, AScriptIsNamedByItsPathOutsideItsOwnReadme) {
  Tree tree = {{"ci/demo", {"# ci/demo"}}, {"ci/README.md", {"ci/demo"}}};
  EXPECT_EQ(only(check_dead_files(tree)), "ci/demo:1: a file that nothing names, use it where it belongs, or git rm");
  tree["README.md"] = {"    ci/demo2 and demo"};
  EXPECT_EQ(check_dead_files(tree).size(), 1u);
  tree["README.md"] = {"    ci/demo     # everything"};
  EXPECT_EQ(only(check_dead_files(tree)), "none");
}

TEST(DeadFiles, AModuleIsIncludedByItsName) {
  Tree tree = {{"cmake/torch.cmake", {}}, {"CMakeLists.txt", {"target_link_libraries(torch)", "include(torch_more)"}}};
  EXPECT_EQ(only(check_dead_files(tree)), "cmake/torch.cmake:1: a file that nothing names, use it where it belongs, or git rm");
  tree["CMakeLists.txt"].push_back("include(torch)");
  EXPECT_EQ(only(check_dead_files(tree)), "none");
}

TEST(DeadFiles, WhatIsStoredOfReleasesIsFoundByTheirNames) {
  EXPECT_EQ(only(check_dead_files({{"ci/releases/a@1.txt", {}}})), "none");
  EXPECT_EQ(check_dead_files({{"ci/a.txt", {}}}).size(), 1u);
}

TEST(DeadFiles, DataOfTestsAreNamedOrTheirFolderIsReadWholeBesideThem) {
  Tree tree = {{"tests/sim/report/golden/a.txt", {}}, {"tests/sim/scenario/bad/b.yaml", {}}};
  EXPECT_EQ(check_dead_files(tree).size(), 2u);
  tree["tests/sim/report/report_test.cpp"] = {"is_golden(text, \"a.txt\");", "files_in(\"bad\");"};
  EXPECT_EQ(only(check_dead_files(tree)), "tests/sim/scenario/bad/b.yaml:1: a file that nothing names, use it where it belongs, or git rm");
  tree["tests/sim/scenario/parse_test.cpp"] = {"files_in(\"bad\");"};
  EXPECT_EQ(only(check_dead_files(tree)), "none");
}

TEST(DeadFiles, WhatAToolFindsByItsNameNeedsNoOther) {
  EXPECT_EQ(only(check_dead_files({{".clang-format", {}}, {".ci/run", {}}, {"README.md", {}}})), "none");
  EXPECT_EQ(check_dead_files({{"tests/.clang-format", {}}}).size(), 1u);
}

TEST(Words, UnfinishedBusinessIsNamedWhereverItStands) {
  const std::string word = std::string("TO") + "DO";
  EXPECT_EQ(only(check_words({{"tests/a.cpp", {"", "// " + word + ": later"}}})),
            "tests/a.cpp:2: " + word + " left behind, use the finished thing, or nothing");
  EXPECT_EQ(check_words({{"cmake/a.cmake", {std::string("# FIX") + "ME"}}}).size(), 1u);
  EXPECT_EQ(check_words({{"sim/README.md", {std::string("XX") + "X"}}}).size(), 1u);
  for (std::string path : {"README.md", "ci/demo", "scenarios/layerwise/a.yaml", ".clang-tidy"})
    EXPECT_EQ(check_words({{path, {"# " + word}}}).size(), 1u) << path;
  EXPECT_EQ(only(check_words({{"tests/a.cpp", {"x" + word, word + "s"}}})), "none");
}

TEST(Words, EnemiesOfReplayAreNamedWithWhatToUse) {
  EXPECT_EQ(only(check_words({{"sim/law/a.cpp", {"std::unordered_map<int, int> m;"}}})),
            "sim/law/a.cpp:1: unordered_ is an enemy of replay, use std::map, std::set or a sorted vector, or a row with its reason in "
            "tests/tidy/words.cpp");
  for (std::string line : {"auto t = std::time(nullptr);", "int r = rand();", "std::random_device d;", "std::chrono::system_clock::now();",
                           "#include <unordered_set>"})
    EXPECT_EQ(check_words({{"reference/model/a.h", {line}}}).size(), 1u) << line;
}

TEST(Words, EnemiesOfReplayAreAllowedInCommentsInTestsAndWhereTheTableSaysWhy) {
  EXPECT_EQ(only(check_words({{"sim/law/a.cpp", {"int run_time(int operand);  // not time(), not rand()"}}})), "none");
  EXPECT_EQ(only(check_words({{"tests/a.cpp", {"std::unordered_map<int, int> m;"}}})), "none");
  EXPECT_EQ(only(check_words({{"sim/campaign/campaign.cpp", {"std::time(nullptr);"}}})), "none");
}

TEST(Words, AnUnorderedContainerIsNeverWalkedAlsoWhereItIsAllowed) {
  Tree tree = {{"sim/replay/watch.h", {"std::unordered_map<int, std::vector<int>> seen_;  // by number"}},
               {"sim/replay/watch.cpp", {"#include \"sim/replay/watch.h\"", "auto it = seen_.find(1);", "for (int i : foreseen_) ++i;"}},
               {"sim/replay/other.cpp", {"for (auto& x : seen_) ++x;"}}};
  EXPECT_EQ(only(check_words(tree)), "none");
  tree["sim/replay/watch.cpp"].push_back("for (auto& [key, value] : seen_) ++value;");
  EXPECT_EQ(only(check_words(tree)), "sim/replay/watch.cpp:4: walks seen_, which has no order, use an ordered container");
  tree["sim/replay/watch.cpp"].back() = "std::vector<int> all(seen_.begin(), seen_.end());";
  EXPECT_EQ(only(check_words(tree)), "sim/replay/watch.cpp:4: walks seen_, which has no order, use an ordered container");
}

TEST(Sizes, FilesAndLinesHaveALimit) {
  EXPECT_EQ(only(check_sizes({{"sim/a.cpp", std::vector<std::string>(400, std::string(140, 'x'))}})), "none");
  EXPECT_EQ(only(check_sizes({{"sim/a.cpp", std::vector<std::string>(401)}})),
            "sim/a.cpp:401: 401 lines, use at most 400: a noun in here wants its own file");
  EXPECT_EQ(only(check_sizes({{"sim/a.cpp", {std::string(141, 'x')}}})), "sim/a.cpp:1: 141 columns, use at most 140");
  std::string umlauts;
  for (int i = 0; i < 140; ++i) umlauts += "\xC3\xA4";
  EXPECT_EQ(only(check_sizes({{"sim/a.cpp", {umlauts}}})), "none");
  EXPECT_EQ(only(check_sizes({{"ci/a", {std::string(141, 'x')}}})), "ci/a:1: 141 columns, use at most 140");
  EXPECT_EQ(only(check_sizes({{"scenarios/expectations/releases/a@1.txt", {std::string(141, 'x')}}})), "none");
}

}  // namespace
}  // namespace reloadlab::tidy
