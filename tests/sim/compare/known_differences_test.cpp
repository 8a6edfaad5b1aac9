#include "sim/compare/known_differences.h"

#include <gtest/gtest.h>

namespace reloadlab::tests {
namespace {

using namespace sim;

const std::string kBegin = "reloadlab: 1\nknown:\n";
const std::string kErrors = "  - {first: a@1, candidate: b@2, scenario: 'ring-*', aspect: errors, reason: it warns}\n";

std::string message_of(const std::string& text) {
  const auto read = parse_known_differences(text, "x.yaml");
  return read.ok() ? "" : read.status().message();
}

std::vector<Differing> one_case(const std::string& scenario, const std::vector<std::string>& aspects) {
  Differing one{.id = scenario, .scenario = scenario, .first = "a@1", .candidate = "b@2", .left_out = {}, .rows = {}};
  for (const std::string& aspect : aspects) one.rows.push_back({aspect, "rank 0", "succeeds", "fails"});
  return {one};
}

std::vector<std::string> marked(std::vector<Differing>& all) {
  return mark_known(*parse_known_differences(kBegin + kErrors, "x.yaml"), "x.yaml", all);
}

TEST(KnownDifferences, HoldForTheirScenariosAndAspects) {
  auto fits = one_case("ring-two", {"errors"}), more = one_case("ring-two", {"errors", "bytes"}), other = one_case("plain", {"errors"});
  EXPECT_TRUE(marked(fits).empty());
  EXPECT_EQ(word(fits[0]), "known");
  EXPECT_NE(differing_text(fits[0]).find("known: it warns"), std::string::npos);
  marked(more);
  EXPECT_EQ(word(more[0]), "differs") << "bytes are another difference";
  EXPECT_TRUE(marked(other).empty()) << "of what was not played nothing is known";
  EXPECT_EQ(word(other[0]), "differs");
}

TEST(KnownDifferences, MaySayHowADifferenceReads) {
  const auto word_with = [](const std::string& says) {
    auto all = one_case("drawn-7", {"errors"});
    const std::string entry =
        "  - {first: a@1, candidate: b@2, scenario: 'drawn-*', aspect: errors, reason: it warns, says: '" + says + "'}\n";
    mark_known(*parse_known_differences(kBegin + entry, "x.yaml"), "x.yaml", all);
    return std::string(word(all[0]));
  };
  EXPECT_EQ(word_with("rank *: succeeds | fails"), "known");
  EXPECT_EQ(word_with("rank *: fails | *"), "differs");
}

TEST(KnownDifferences, ThoseThatAreOverAreTold) {
  auto same = one_case("ring-two", {});
  EXPECT_EQ(marked(same), std::vector<std::string>{"x.yaml:3:5: a@1 and b@2 do not differ in errors any more, expected no entry"});
  same[0].left_out = "b@2: skipped: no GPU here";
  EXPECT_TRUE(marked(same).empty());
}

TEST(KnownDifferences, ErrorsSayWhereAndWhatWasMeant) {
  EXPECT_EQ(message_of(kBegin + kErrors), "");
  EXPECT_EQ(message_of("reloadlab: 2\nknown: []\n"), "x.yaml:1:12: expected \"reloadlab: 1\"");
  EXPECT_EQ(message_of("reloadlab: 1\nknwon: []\nknown: []\n"), "x.yaml:2:1: unknown key \"knwon\"; did you mean \"known\"?");
  EXPECT_EQ(message_of(kBegin + "  - {first: a, candidate: b, scenario: x, aspect: error, reason: r}\n"),
            "x.yaml:3:51: no aspect is called \"error\", expected one of verdicts, errors, bytes, addresses, completion; did you mean "
            "\"errors\"?");
  EXPECT_EQ(message_of(kBegin + "  - {first: a, candidate: b, scenario: x, aspect: errors}\n"), "x.yaml:3:5: key \"reason\" wants text");
  EXPECT_EQ(message_of(kBegin + "  - {first: a, candidate: b, scenario: x, aspect: errors, reason: r, says: []}\n"),
            "x.yaml:3:76: key \"says\" wants text");
}

}  // namespace
}  // namespace reloadlab::tests
