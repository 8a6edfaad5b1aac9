#include "sim/fuzz/token.h"

#include <gtest/gtest.h>

#include "reference/base/prng.h"
#include "sim/fuzz/generate.h"

namespace reloadlab::sim::fuzz {
namespace {

Token token_sample(uint64_t index = 0) {
  Choices choices(seed_of(5, index));
  (void)generate("layerwise", choices);
  return {"layerwise", "layerwise@seed,unloaded=preserve", WorldKind::cpu, choices.answers()};
}

TEST(Token, SaysAllThatWasPutIntoIt) {
  const Token token = token_sample();
  const Result<Token> read = read_token(write_token(token));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->system, token.system);
  EXPECT_EQ(read->candidate, token.candidate);
  EXPECT_EQ(read->world, token.world);
  Choices one(token.answers), other(read->answers);
  EXPECT_EQ(generate("layerwise", one)->model.layers.size(), generate("layerwise", other)->model.layers.size());
  EXPECT_EQ(one.answers(), other.answers());
}

TEST(Token, IsOneWordThatAShellTakesAsItIs) {
  for (uint64_t index = 0; index < 50; ++index)
    EXPECT_EQ(write_token(token_sample(index)).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
}

TEST(Token, WithAnyLetterChangedOrLostIsRefused) {
  const std::string text = write_token(token_sample());
  for (size_t at = 0; at < text.size(); ++at) {
    std::string other = text;
    other[at] = other[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(read_token(other).status().code(), Code::usage) << at;
    EXPECT_EQ(read_token(text.substr(0, at)).status().code(), Code::usage) << at;
  }
}

TEST(Token, OfNonsenseIsRefused) {
  Prng prng(1);
  for (int count = 0; count < 2000; ++count) {
    std::string text;
    for (uint64_t size = prng.below(60); size > 0; --size) text += static_cast<char>(prng.below(256));
    EXPECT_FALSE(read_token(text).ok());
  }
}

TEST(Token, OfAnotherVersionIsRefusedAndSaysSo) {
  std::string text = write_token(token_sample());
  text[0] = 'B';  // the first six bits of the version
  EXPECT_NE(read_token(text).status().message().find("version"), std::string::npos) << read_token(text).status().message();
}

// The check is right, and the print is of a program that draws otherwise.
TEST(Token, OfAnotherProgramIsForeign) {
  const std::string text = write_token(token_sample(), generator_print("layerwise") ^ 1);
  EXPECT_NE(read_token(text).status().message().find("foreign"), std::string::npos) << read_token(text).status().message();
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
