// Files that were damaged at random: each yields cases or errors with positions, and never an exception, a hang or a defect.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "reference/base/prng.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

std::vector<std::string> corpus() {
  std::vector<std::string> texts;
  const std::string root = RELOADLAB_SOURCE_DIR;
  const auto files = find_scenarios({root + "/tests/sim/scenario", root + "/scenarios"});
  for (const auto& file : *files) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    texts.push_back(text.str());
  }
  return texts;
}

size_t place_in(const std::string& text, Prng& prng) { return prng.below(text.size() + 1); }

// One edit: a byte changed, a piece cut out, a piece of another file put in, or a token that parsers stumble over.
void damage(std::string& text, const std::string& other, Prng& prng) {
  static const std::string tokens[] = {"{",     "}",    "[",      "]",       ":",        "- ", "&a ",
                                       "*a",    "<<: ", "!!str ", "\n---\n", "?",        "\t", "|",
                                       "null",  "~",    "{0..",   "..}",     "#",        "\"", "99999999999999999999",
                                       "-1",    "\n",   "  ",     "%",       "''",       "x2", "...",
                                       "steps", "vary", "{",      "1e9",     "\xff\xfe", "\\", ",",
                                       "@"};
  const size_t at = place_in(text, prng);
  switch (prng.below(4)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(prng.below(256));
      break;
    case 1:
      text.erase(at, prng.below(40));
      break;
    case 2:
      text.insert(at, other.substr(place_in(other, prng), prng.below(60)));
      break;
    default:
      text.insert(at, tokens[prng.below(std::size(tokens))]);
  }
}

TEST(DamagedScenario, is_cases_or_errors_with_positions) {
  const std::vector<std::string> texts = corpus();
  ASSERT_GT(texts.size(), 150u);
  const ParseOptions options{.known_laws = {"no_leak"}, .cache_dir = "/cache"};
  Prng prng(2026);
  int parsed = 0, refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = texts[prng.below(texts.size())];
    for (uint64_t edits = 1 + prng.below(3); edits > 0; --edits) damage(text, texts[prng.below(texts.size())], prng);
    const auto cases = parse_scenario(text, "t.yaml", options);
    cases.ok() ? ++parsed : ++refused;
    if (cases.ok()) continue;
    ASSERT_EQ(cases.status().code(), Code::data) << text;
    ASSERT_TRUE(cases.status().message().starts_with("t.yaml:")) << cases.status().message() << "\n" << text;
  }
  EXPECT_GT(parsed, 100);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace reloadlab::sim
