#include "sim/fuzz/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "sim/fuzz/generate.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

Found found(uint64_t index = 0) {
  Choices choices(seed_of(5, index));
  Result<Case> drawn = generate("layerwise", choices);
  EXPECT_TRUE(drawn.ok());
  Found one{.cause = {"written_once", "warm", "reload", "weight"}, .the_case = *std::move(drawn)};
  one.token = {"layerwise", "layerwise@seed", WorldKind::cpu, choices.answers()};
  one.law = {.law = "written_once", .state = State::fail, .finding = Finding{.execution = "warm", .what = "two lines\nof text"}};
  return one;
}

TEST(Store, KeepsAScenarioThatSaysWhatItShows) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("reloadlab-store-" + std::to_string(::getpid()));
  const auto file = keep(folder, found());
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->parent_path(), folder / "failing");
  std::ifstream in(*file);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  EXPECT_EQ(candidate_in(text), "layerwise@seed");
  EXPECT_NE(text.find("# reloadlab replay " + write_token(found().token)), std::string::npos);
  EXPECT_NE(text.find("#   of text\n"), std::string::npos) << text;
  const auto cases = parse_scenario(text, file->string(), {});
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  EXPECT_EQ(cases->front().steps.size(), found().the_case.steps.size());
  std::filesystem::remove_all(folder);
}

TEST(Store, HasAFileForEachCauseAndOneForAllCasesOfIt) {
  EXPECT_EQ(file_name(found(0)), file_name(found(1)));
  Found other = found();
  other.cause.execution = "fault";
  EXPECT_NE(file_name(other), file_name(found()));
}

TEST(Store, OfWhatSomebodyWroteKnowsNoCandidate) { EXPECT_EQ(candidate_in("reloadlab: 1\nabout: \"# candidate  x\"\n"), ""); }

}  // namespace
}  // namespace reloadlab::sim::fuzz
