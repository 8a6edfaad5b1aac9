#pragma once
// A case of a drawn kind as one word to paste: everything that playing it again needs. It is of the program that wrote it: another one may
// draw another case from the same choices, and refuses it.
//
//   base64url of  version · print of generator and schema · system · candidate · world · choices · check
#include <string>
#include <string_view>

#include "reference/base/status.h"
#include "sim/fuzz/choices.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

struct Token {
  std::string system, candidate;
  WorldKind world = WorldKind::cpu;
  Answers answers;
};

std::string write_token(const Token& token);
// As a program writes it that draws by other rules.
std::string write_token(const Token& token, uint32_t generator_print);
// Bytes with their check as a word, whatever they say.
std::string checked_word(std::string bytes);
// Code::usage: it is no token, it is damaged, or it is of another program; the message says which.
Result<Token> read_token(std::string_view text);

}  // namespace reloadlab::sim::fuzz
