#include "sim/fuzz/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "sim/fuzz/generate.h"
#include "sim/fuzz/shrink.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

namespace fs = std::filesystem;

Found store_found(uint64_t index = 0) {
  Choices choices(seed_of(5, index));
  Result<Case> drawn = generate("layerwise", choices);
  EXPECT_TRUE(drawn.ok());
  Found one{.cause = {"written_once", "warm", "reload", "weight"}, .the_case = *std::move(drawn), .count = 1};
  one.token = {"layerwise", "layerwise@seed", WorldKind::cpu, choices.answers()};
  one.law = {.law = "written_once", .state = State::fail, .finding = Finding{.execution = "warm", .what = "two lines\nof text"}};
  return one;
}

// Of the same cause, the smaller one first.
std::pair<Entry, Entry> small_and_large() {
  Found one = store_found(0), other = store_found(1);
  if (size_of(other.the_case) < size_of(one.the_case)) std::swap(one, other);
  return {entry_of(one), entry_of(other)};
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class Stores : public testing::Test {
 protected:
  Stores() { fs::remove_all(store.folder()); }
  ~Stores() override { fs::remove_all(store.folder()); }
  std::vector<Kept> in(Shelf shelf) const {
    const auto all = store.entries(shelf);
    EXPECT_TRUE(all.ok()) << all.status().message();
    return all.ok() ? *all : std::vector<Kept>();
  }
  Kept only(Shelf shelf) const {
    const std::vector<Kept> all = in(shelf);
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? Kept() : all.front();
  }

  const Store store{fs::temp_directory_path() / ("reloadlab-store-" + std::to_string(::getpid()))};
};

TEST_F(Stores, KeepAScenarioThatSaysWhatItShows) {
  const auto file = store.keep(entry_of(store_found()));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->parent_path(), store.folder() / "failing");
  const std::string text = bytes_of(*file);
  EXPECT_EQ(candidate_in(text), "layerwise@seed");
  EXPECT_TRUE(text.starts_with("# reloadlab replay " + write_token(store_found().token) + "\n")) << text;
  EXPECT_NE(text.find("#   of text\n"), std::string::npos) << text;
  const auto cases = parse_scenario(text, file->string(), {});
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  EXPECT_EQ(cases->front().steps.size(), store_found().the_case.steps.size());
}

// As a ring's that is refused: of what was never there one law alone speaks.
TEST_F(Stores, KeepCasesThatNameTheirLaws) {
  Found found = store_found();
  found.the_case.laws = {"written_once"};
  const auto file = store.keep(entry_of(found));
  ASSERT_TRUE(file.ok()) << file.status().message();
  const auto kept = store.entries(Shelf::failing);
  ASSERT_TRUE(kept.ok()) << kept.status().message();
  EXPECT_EQ(case_of(kept->front().entry, "kept.yaml")->laws, found.the_case.laws);
}

TEST_F(Stores, HaveOneEntryForACauseTheSmallestAndCountAllCases) {
  const auto [small, large] = small_and_large();
  ASSERT_TRUE(store.keep(large).ok());
  ASSERT_TRUE(store.keep(small).ok());
  EXPECT_EQ(only(Shelf::failing).entry.scenario, small.scenario);
  ASSERT_TRUE(store.keep(large).ok());
  ASSERT_TRUE(store.count(large, 5).ok());
  EXPECT_EQ(only(Shelf::failing).entry.scenario, small.scenario);
  EXPECT_EQ(only(Shelf::failing).entry.token, small.token);
  EXPECT_EQ(only(Shelf::failing).entry.seen, 8);
}

TEST_F(Stores, TellCausesAndCandidatesApart) {
  Found other = store_found();
  other.cause.execution = "fault";
  Found theirs = store_found();
  theirs.token.candidate = "layerwise@hardened";
  for (const Found& one : {store_found(), other, theirs}) ASSERT_TRUE(store.keep(entry_of(one)).ok());
  EXPECT_EQ(in(Shelf::failing).size(), 3U);
}

// Otherwise a case that passes would stand for one that fails.
TEST_F(Stores, PutWhatFailsInPlaceOfWhatWasMendedHoweverSmallThatIs) {
  const auto [small, large] = small_and_large();
  ASSERT_TRUE(store.keep(small).ok());
  ASSERT_TRUE(store.keep(large, {only(Shelf::failing).entry.scenario}).ok());
  EXPECT_EQ(only(Shelf::failing).entry.scenario, large.scenario);
  EXPECT_EQ(only(Shelf::regression).entry.scenario, small.scenario);
}

TEST_F(Stores, PromoteWithoutReplacingAndTakeBack) {
  const auto [small, large] = small_and_large();
  for (const Entry& one : {large, small}) {
    ASSERT_TRUE(store.keep(one).ok());
    ASSERT_TRUE(store.promote(only(Shelf::failing)).ok());
  }
  EXPECT_TRUE(in(Shelf::failing).empty());
  ASSERT_EQ(in(Shelf::regression).size(), 2U);
  ASSERT_TRUE(store.take_back(in(Shelf::regression).front(), {}).ok());
  EXPECT_EQ(in(Shelf::regression).size(), 1U);
  EXPECT_EQ(in(Shelf::failing).size(), 1U);
}

TEST_F(Stores, DoNotPromoteWhatAnotherCampaignHasReplaced) {
  const auto [small, large] = small_and_large();
  ASSERT_TRUE(store.keep(large).ok());
  const Kept played = only(Shelf::failing);
  ASSERT_TRUE(store.keep(small).ok());
  EXPECT_EQ(store.promote(played).status().code(), Code::failed);
  EXPECT_EQ(only(Shelf::failing).entry.scenario, small.scenario);
}

TEST_F(Stores, AreReadAsTheyWereWritten) {
  const Entry one = entry_of(store_found());
  const auto read = parse_entry(text(one), "x.yaml");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(text(*read), text(one));
  EXPECT_EQ(read->cause, store_found().cause);
  EXPECT_EQ(read->finding, one.finding);
}

TEST_F(Stores, SayWhichFileIsNoEntryAndWhere) {
  const Entry one = entry_of(store_found());
  ASSERT_TRUE(store.keep(one).ok());
  std::ofstream(store.folder() / "failing/other.yaml") << "# reloadlab replay x\nreloadlab: 1\n";
  const auto all = store.entries(Shelf::failing);
  EXPECT_EQ(all.status().code(), Code::data);
  EXPECT_NE(all.status().message().find("other.yaml:2: no entry of a store"), std::string::npos) << all.status().message();
  std::string half = text(one);
  half.resize(half.size() / 2);
  EXPECT_EQ(parse_entry(half, "x.yaml").status().code(), Code::data);
}

// A file that begins with a dot was being written by somebody who was killed.
TEST_F(Stores, SweepWhatWasLeftHalfWritten) {
  ASSERT_TRUE(store.keep(entry_of(store_found())).ok());
  std::ofstream(store.folder() / "failing/.other.yaml.12345") << "# reloadlab rep";
  EXPECT_EQ(in(Shelf::failing).size(), 1U);
  ASSERT_TRUE(store.count(entry_of(store_found()), 1).ok());
  EXPECT_FALSE(fs::exists(store.folder() / "failing/.other.yaml.12345"));
}

TEST_F(Stores, AreSharedByWritersAndLoseNoCount) {
  constexpr int64_t times = 50;
  const Entry one = entry_of(store_found());
  ASSERT_TRUE(store.keep(one).ok());
  const auto write = [&] {
    for (int64_t time = 0; time < times; ++time) EXPECT_TRUE(store.count(one, 1).ok());
  };
  std::thread other(write);
  write();
  other.join();
  EXPECT_EQ(only(Shelf::failing).entry.seen, 1 + 2 * times);
}

TEST_F(Stores, KeepTheFirstCaseThatIsInteresting) {
  ASSERT_TRUE(store.note("a_probe", store_found(0).the_case).ok());
  const std::string first = bytes_of(store.folder() / "interesting/a_probe.yaml");
  ASSERT_TRUE(store.note("a_probe", store_found(1).the_case).ok());
  EXPECT_EQ(bytes_of(store.folder() / "interesting/a_probe.yaml"), first);
  EXPECT_TRUE(parse_scenario(first, "x.yaml", {}).ok());
}

TEST(Store, OfWhatSomebodyWroteKnowsNoCandidate) { EXPECT_EQ(candidate_in("reloadlab: 1\nabout: \"# candidate  x\"\n"), ""); }

}  // namespace
}  // namespace reloadlab::sim::fuzz
