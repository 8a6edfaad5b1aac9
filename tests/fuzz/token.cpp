#include "sim/fuzz/token.h"

#include "reference/base/check.h"
#include "sim/fuzz/generate.h"
#include "tests/fuzz/readers.h"

namespace reloadlab::tests {
namespace {

// Answers, a byte each; 255 begins a list.
sim::fuzz::Answers answers_of(std::string_view bytes) {
  sim::fuzz::Answers answers(1);
  for (const char byte : bytes) {
    if (const auto value = static_cast<uint8_t>(byte); value == 255)
      answers.emplace_back();
    else
      answers.back().push_back(uint32_t{value} << (value % 25));
  }
  return answers;
}

Status check_word(const std::string& word) {
  const auto token = sim::fuzz::read_token(word);
  if (!token.ok()) return token.status();
  const std::string again = sim::fuzz::write_token(*token);
  const auto same = sim::fuzz::read_token(again);
  RELOADLAB_CHECK(same.ok() && sim::fuzz::write_token(*same) == again, word);
  return {};
}

}  // namespace

// By the first byte: 'b', what stands in a word, whose check is right; 'a', the answers of one; anything else, the word itself.
Status read_token(std::string_view bytes) {
  const char kind = bytes.empty() ? 'w' : bytes.front();
  if (kind == 'b') return check_word(sim::fuzz::checked_word(std::string(bytes.substr(1))));
  if (kind != 'a') return check_word(std::string(bytes));
  const sim::fuzz::Token token{"layerwise", "layerwise@seed", sim::WorldKind::cpu, answers_of(bytes.substr(1))};
  const Status status = check_word(sim::fuzz::write_token(token));
  RELOADLAB_CHECK(status.ok(), status.message());
  return status;
}

}  // namespace reloadlab::tests
