#include "sim/fuzz/hunt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sim/fuzz/generate.h"
#include "sim/scenario/scenario.h"
#include "tests/sim/fuzz/planted.h"

namespace reloadlab::sim::fuzz {
namespace {

Hunted hunted(const Engine& engine, HuntOptions options = {.cases = 300}) {
  options.system = "layerwise", options.candidate = "planted@bug";
  Result<Hunted> result = hunt(options, engine, {});
  EXPECT_TRUE(result.ok());
  return *std::move(result);
}

std::string two_bugs(const Case& it) {
  if (first_reload(it) < 0) return "";
  if (count_kind(it, "composed") > 0 && it.ranks > 1) return of_kind(it, "composed") + ".A";
  return count_kind(it, "attention") > 0 ? of_kind(it, "attention") + ".nothing" : "";
}

TEST(Hunt, OfWhatHoldsFindsNothing) {
  const Hunted seen = hunted(with_bug([](const Case&) { return ""; }));
  EXPECT_TRUE(seen.found.empty());
  EXPECT_EQ(seen.progress.cases, 300);
  EXPECT_EQ(seen.progress.judged, 300);
  EXPECT_EQ(seen.progress.failing, 0);
}

// Whatever else fails: who reads exit codes is told that something did not come back.
TEST(Hunt, CountsWhatDoesNotComeBack) {
  Engine engine = with_bug([](const Case&) { return ""; });
  const auto whole = engine.replay;
  engine.replay = [whole](const Case& one, const std::string& candidate, const EngineOptions& options) -> Result<Evidence> {
    if (one.ranks == 2) return Status(Code::lost, "hang: nothing was heard of it");
    if (one.ranks == 3) return Status(Code::lost, "killed by signal 11 (SIGSEGV)");
    return whole(one, candidate, options);
  };
  const Hunted seen = hunted(engine, {.cases = 100, .shrink_tries = 0});
  const auto count = [&](const char* way) { return seen.found.at({"survives", "lost", way, ""}).count; };
  EXPECT_GT(count("SIGSEGV"), 0);
  EXPECT_EQ(seen.progress.failing, count("hang") + count("SIGSEGV"));
  EXPECT_EQ(seen.progress.hanging, count("hang"));
}

TEST(Hunt, TellsCausesApartCountsThemAndMakesEachSmall) {
  const Hunted seen = hunted(with_bug(two_bugs));
  ASSERT_EQ(seen.found.size(), 2U);
  const auto of = [&](const std::string& tensor) { return seen.found.at({"law_a", "warm", "reload", tensor}); };
  EXPECT_GT(of("parameter").count, 1);
  EXPECT_EQ(of("parameter").the_case.ranks, 2);
  EXPECT_EQ(count_kind(of("parameter").the_case, "composed"), 1) << emit(of("parameter").the_case);
  EXPECT_EQ(of("made").the_case.ranks, 1);
  EXPECT_EQ(count_kind(of("made").the_case, "attention"), 1) << emit(of("made").the_case);
  EXPECT_EQ(of("made").law.law, "law_a");
}

// Shrinking one must not end in the other, though that one's cases are smaller.
TEST(Hunt, NeverSlidesFromOneCauseToAnother) {
  const Hunted seen = hunted(with_bug([](const Case& it) -> std::string {
    if (first_reload(it) < 0) return "";
    if (it.model.layers.size() < 2) return "somewhere";
    return count_kind(it, "norm") > 0 ? of_kind(it, "norm") + ".weight" : "";
  }));
  const Found& found = seen.found.at({"law_a", "warm", "reload", "parameter"});
  EXPECT_EQ(found.the_case.model.layers.size(), 2U) << emit(found.the_case);
}

TEST(Hunt, GivesATokenOfTheSmallCase) {
  const Hunted seen = hunted(with_bug(two_bugs));
  for (const auto& [cause, found] : seen.found) {
    const Result<Token> token = read_token(write_token(found.token));
    ASSERT_TRUE(token.ok()) << token.status().message();
    EXPECT_EQ(token->candidate, "planted@bug");
    Choices choices(token->answers);
    EXPECT_EQ(emit(*generate(token->system, choices)), emit(found.the_case));
  }
}

// What each draws depends on what it saw itself, so that shards together play as many cases, and not the same as one campaign alone.
TEST(Hunt, OfShardsTogetherPlaysSoManyCasesAndNoneTwice) {
  std::multiset<std::string> parts;
  const Engine some = with_bug([&](const Case& it) {
    parts.insert(emit(it));
    return "";
  });
  for (int index = 0; index < 3; ++index) hunted(some, {.cases = 100, .shard = Shard{.index = index, .count = 3, .said_by = "test"}});
  EXPECT_EQ(parts.size(), 100U);
  EXPECT_EQ(std::set(parts.begin(), parts.end()).size(), 100U);
}

TEST(Hunt, ThatTheHarnessBreaksOnEndsAndSaysWhere) {
  Engine engine = with_bug([](const Case&) { return ""; });
  engine.replay = [](const Case&, const std::string&, const EngineOptions&) -> Result<Evidence> { throw std::runtime_error("it slipped"); };
  const Hunted seen = hunted(engine);
  EXPECT_EQ(seen.defect, "case 0: it slipped");
  EXPECT_EQ(seen.progress.cases, 1);
}

TEST(Hunt, ThatDoesNotFindItsCanaryIsBrokenAndSaysSo) {
  const Hunted blind = hunted(with_bug([](const Case&) { return ""; }), {.cases = 10, .canary = "planted@canary"});
  EXPECT_EQ(blind.defect, "the canary planted@canary broke no law in 200 cases: this campaign finds nothing");
  EXPECT_EQ(blind.progress.cases, 0);
  const Hunted seeing = hunted(with_bug(two_bugs), {.cases = 10, .canary = "planted@canary"});
  EXPECT_EQ(seeing.defect, "");
  EXPECT_EQ(seeing.progress.cases, 10);
}

// A candidate that does something else the second time.
TEST(Hunt, PlaysSomeCasesTwiceAndFindsWhatIsNotTheSameAgain) {
  Engine engine = with_bug([](const Case&) { return ""; });
  int64_t twice = 0;
  engine.replay = [inner = engine.replay, &twice](const Case& it, const std::string& candidate, const EngineOptions& options) {
    Result<Evidence> evidence = inner(it, candidate, options);
    if (!options.prove_determinism) return evidence;
    Execution again = evidence->executions.front();
    again.variation = {.kind = Variation::Kind::again};
    again.ranks.front().events.front().numel = ++twice;
    evidence->executions.push_back(std::move(again));
    return evidence;
  };
  const Hunted seen = hunted(engine, {.cases = 200});
  ASSERT_EQ(seen.found.size(), 1U);
  const auto& [cause, found] = *seen.found.begin();
  EXPECT_EQ(cause.law, "same_again");
  EXPECT_EQ(found.law.law, "same_again");
  EXPECT_GT(found.count, 3);
  EXPECT_LT(found.count, 30);
}

// What the control breaks as well says nothing, in what is drawn as in what is made of it.
TEST(Hunt, CountsNoCaseInWhichTheControlBreaksALaw) {
  Engine engine = with_bug(two_bugs);
  engine.judge = [inner = engine.judge](const Evidence& evidence) {
    std::vector<Verdict> verdicts = inner(evidence);
    if (evidence.candidate == "planted@control" && count_kind(evidence.the_case, "attention") == 0)
      verdicts.front().outcome = Outcome::pass;
    return verdicts;
  };
  const Hunted seen = hunted(engine, {.cases = 300, .control = "planted@control"});
  ASSERT_EQ(seen.found.size(), 1U);
  EXPECT_EQ(seen.found.begin()->first.tensor, "parameter");
  EXPECT_EQ(count_kind(seen.found.begin()->second.the_case, "attention"), 0);
}

TEST(Hunt, PlaysNothingThatThisMachineLacks) {
  Engine engine = with_bug([](const Case&) { return ""; });
  engine.lacks = [](const Case& it) { return it.ranks > 2 ? "needs more GPUs" : ""; };
  engine.replay = [inner = engine.replay](const Case& it, const std::string& candidate, const EngineOptions& options) {
    EXPECT_LE(it.ranks, 2);
    return inner(it, candidate, options);
  };
  const Hunted all = hunted(engine, {.cases = 600});
  EXPECT_EQ(all.defect, "");
  const Progressed& seen = all.progress;
  EXPECT_GT(seen.skipped, 0);
  EXPECT_EQ(seen.judged + seen.skipped, seen.cases);
}

// A share of the cases is spoiled, in their files or in their checkpoints: who plays one that has none is broken.
TEST(Hunt, SpoilsSomeCasesAndBreaksOffWhereOneIsNotRefused) {
  EXPECT_GT(hunted(with_bug([](const Case&) { return ""; })).progress.refused, 3);
  Engine taking_all = with_bug([](const Case&) { return ""; });
  taking_all.replay = [inner = taking_all.replay](Case it, const std::string& candidate, const EngineOptions& options) {
    for (auto& [name, checkpoint] : it.checkpoints) checkpoint.path.clear();
    return inner(it, candidate, options);
  };
  EXPECT_NE(hunted(taking_all).defect.find("its checkpoints are no files, expected a refusal"), std::string::npos);
}

// The same campaign twice draws the same cases, though what it draws depends on what it saw.
TEST(Hunt, DrawsTheSameCasesOfTheSameSeed) {
  std::vector<std::string> first, second;
  for (std::vector<std::string>* into : {&first, &second})
    hunted(with_bug([into](const Case& it) {
      into->push_back(emit(it));
      return "";
    }));
  EXPECT_EQ(first, second);
}

TEST(Hunt, ThatIsToStopAtTheFirstFailureDoes) {
  const Hunted seen = hunted(with_bug(two_bugs), {.cases = 300, .fail_fast = true});
  EXPECT_EQ(seen.found.size(), 1U);
  EXPECT_EQ(seen.progress.failing, 1);
  EXPECT_LT(seen.progress.cases, 300);
}

// Whoever is killed while it makes a case small has told it before.
TEST(Hunt, TellsACaseBeforeItIsMadeSmall) {
  std::vector<std::string> told;
  Told into;
  into.met = [&](const Found& found) {
    EXPECT_FALSE(found.smallest);
    EXPECT_EQ(found.law.law, "law_a");
    EXPECT_EQ(found.count, 1);
    return told.push_back("met " + text(found.cause)), Status();
  };
  into.found = [&](const Found& found) { return told.push_back("small " + text(found.cause)), Status(); };
  const auto result = hunt({.system = "layerwise", .candidate = "planted@bug", .cases = 100}, with_bug(two_bugs), into);
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(told.size(), 2 * result->found.size());
  for (size_t at = 0; at < told.size(); at += 2) EXPECT_EQ(told[at].substr(4), told[at + 1].substr(6));
}

TEST(Hunt, CountsWhatIsKnownAndDoesNotMakeItSmall) {
  const Cause known{"law_a", "warm", "reload", "parameter"};
  const Hunted seen = hunted(with_bug(two_bugs), {.cases = 300, .known = {known}});
  EXPECT_GT(seen.found.at(known).count, 1);
  EXPECT_TRUE(seen.found.at(known).token.answers.empty());
  EXPECT_FALSE(seen.found.at({"law_a", "warm", "reload", "made"}).token.answers.empty());
}

TEST(Hunt, BeginsWithTheCaseThatItIsToldTo) {
  std::vector<uint64_t> begun;
  Told into;
  into.begins = [&](uint64_t index) { begun.push_back(index); };
  const HuntOptions options{.system = "layerwise",
                            .candidate = "planted@bug",
                            .cases = 12,
                            .shard = Shard{.index = 1, .count = 3, .said_by = "test"},
                            .first = 5};
  ASSERT_TRUE(hunt(options, with_bug([](const Case&) { return ""; }), into).ok());
  EXPECT_EQ(begun, (std::vector<uint64_t>{7, 10}));
}

TEST(Hunt, EndsWhenItsTimeIsUp) {
  const Hunted seen = hunted(with_bug([](const Case&) { return ""; }), {.seconds = 0});
  EXPECT_EQ(seen.progress.cases, 0);
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
