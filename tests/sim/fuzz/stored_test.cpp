#include "sim/fuzz/stored.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "sim/fuzz/generate.h"
#include "tests/sim/fuzz/planted.h"

namespace reloadlab::sim::fuzz {
namespace {

namespace fs = std::filesystem;

const Cause kCause{"law_a", "warm", "reload", "unknown"};

Found stored_found() {
  Choices choices{Answers()};
  Found one{.cause = kCause, .the_case = *generate("layerwise", choices), .count = 1};
  one.token = {"layerwise", "planted@bug", WorldKind::cpu, choices.answers()};
  return one;
}

Engine failing() {
  return with_bug([](const Case&) { return "somewhere"; });
}
Engine failing_otherwise() {
  return with_bug([](const Case&) { return "process: x"; });
}
Engine holding() {
  return with_bug([](const Case&) { return ""; });
}
// What an engine of workers says of a case that its worker did not come back from.
Engine crashing() {
  Engine engine = holding();
  engine.replay = [](const Case&, const std::string&, const EngineOptions&) -> Result<Evidence> {
    return Status(Code::lost, "killed by signal 11 (SIGSEGV)");
  };
  return engine;
}

class StoredCases : public testing::Test {
 protected:
  StoredCases() {
    fs::remove_all(store.folder());
    EXPECT_TRUE(store.keep(entry_of(stored_found())).ok());
  }
  ~StoredCases() override { fs::remove_all(store.folder()); }
  Stored play(const Engine& engine, const std::string& candidate = "planted@bug") const {
    Result<Stored> played = play_stored(store, candidate, engine);
    EXPECT_TRUE(played.ok()) << played.status().message();
    return played.ok() ? *std::move(played) : Stored();
  }
  size_t count(Shelf shelf) const { return store.entries(shelf)->size(); }

  const Store store{fs::temp_directory_path() / ("reloadlab-stored-" + std::to_string(::getpid()))};
};

TEST_F(StoredCases, ThatFailAsEverAreKnown) {
  const Stored played = play(failing());
  EXPECT_EQ(played.causes(), std::set<Cause>{kCause});
  EXPECT_TRUE(played.mended.empty() && played.relapsed.empty());
  EXPECT_EQ(count(Shelf::failing), 1U);
}

TEST_F(StoredCases, OfAnotherCandidateAreNotPlayed) { EXPECT_EQ(play(failing(), "planted@other").played, 0); }

TEST_F(StoredCases, ThatPassAreMendedAndStayUntilTheyArePromoted) {
  const Stored played = play(holding());
  ASSERT_EQ(played.mended.size(), 1U);
  EXPECT_EQ(played.mended_texts(), std::set<std::string>{played.mended[0].entry.scenario});
  EXPECT_TRUE(played.causes().empty());
  EXPECT_EQ(count(Shelf::failing), 1U);
}

TEST_F(StoredCases, ThatWereMendedAndFailAgainAreRegressionsAndGoBack) {
  ASSERT_TRUE(store.promote(store.entries(Shelf::failing)->front()).ok());
  EXPECT_TRUE(play(holding()).relapsed.empty());
  EXPECT_EQ(count(Shelf::regression), 1U);
  const Stored played = play(failing());
  ASSERT_EQ(played.relapsed.size(), 1U);
  EXPECT_EQ(played.relapsed[0].entry.cause, kCause);
  EXPECT_EQ(count(Shelf::regression), 0U);
  EXPECT_EQ(count(Shelf::failing), 1U);
}

TEST_F(StoredCases, ThatFailOtherwiseAreAFindingMore) {
  const Stored played = play(failing_otherwise());
  EXPECT_EQ(played.causes(), (std::set<Cause>{{"law_a", "warm", "reload", "process"}}));
  EXPECT_EQ(count(Shelf::failing), 2U);
}

TEST_F(StoredCases, ThatCrashAreFindings) {
  const Stored played = play(crashing());
  EXPECT_EQ(played.causes(), (std::set<Cause>{{"survives", "lost", "SIGSEGV", ""}}));
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
