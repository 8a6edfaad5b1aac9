#include "sim/fuzz/token.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "reference/base/nearest.h"
#include "reference/base/prng.h"
#include "sim/fuzz/generate.h"

namespace reloadlab::sim::fuzz {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string to_base64(const std::string& bytes) {
  std::string text;
  uint32_t bits = 0;
  int have = 0;
  for (const unsigned char byte : bytes) {
    bits = (bits << 8) | byte, have += 8;
    for (; have >= 6; have -= 6) text += kDigits[(bits >> (have - 6)) & 63];
  }
  if (have > 0) text += kDigits[(bits << (6 - have)) & 63];
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int have = 0;
  for (const char digit : text) {
    const size_t value = kDigits.find(digit);
    if (value == std::string_view::npos) return {};
    bits = (bits << 6) | static_cast<uint32_t>(value), have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes += static_cast<char>(bits >> have);
  }
  // There is one way to write each word.
  if (have >= 6 || (bits & ((1U << have) - 1)) != 0) return {};
  return bytes;
}

void put(std::string& out, uint32_t number) {
  for (; number >= 128; number >>= 7) out += static_cast<char>(number | 128);
  out += static_cast<char>(number);
}
void put(std::string& out, std::string_view text) {
  put(out, static_cast<uint32_t>(text.size()));
  out += text;
}

// Zeros at the end need not be said.
void put(std::string& out, const std::vector<uint32_t>& list) {
  const auto size =
      static_cast<size_t>(std::find_if(list.rbegin(), list.rend(), [](uint32_t each) { return each != 0; }).base() - list.begin());
  put(out, static_cast<uint32_t>(size));
  for (size_t i = 0; i < size; ++i) put(out, list[i]);
}

// Reads what put() wrote; anything else leaves ok false.
struct Source {
  std::string_view left;
  bool ok = true;

  uint8_t byte() {
    if (left.empty()) return ok = false, 0;
    const auto value = static_cast<uint8_t>(left.front());
    left.remove_prefix(1);
    return value;
  }
  uint32_t number() {
    uint32_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const uint8_t next = byte();
      if (shift == 28 && next > 15) break;  // bits that no number has: there is one way to write each
      value |= static_cast<uint32_t>(next & 127) << shift;
      if (next < 128) return value;
    }
    ok = false;
    return 0;
  }
  // A number takes a byte or more, so that no length leads further than the text is long.
  std::vector<uint32_t> numbers() {
    std::vector<uint32_t> list;
    for (uint32_t left_over = number(); left_over > 0 && ok; --left_over) list.push_back(number());
    return list;
  }
  std::string text() {
    const uint32_t size = number();
    if (size > left.size()) return ok = false, std::string();
    std::string value(left.substr(0, size));
    left.remove_prefix(size);
    return value;
  }
};

uint32_t check_of(std::string_view bytes) { return static_cast<uint32_t>(mix64(hash_name(bytes))); }

Status damaged(std::string_view text) {
  return Status(Code::usage,
                fmt::format("\"{}{}\" is no token, or a damaged one: expected what `reloadlab fuzz` printed behind `reloadlab replay`",
                            text.substr(0, 24), text.size() > 24 ? "…" : ""));
}

}  // namespace

std::string write_token(const Token& token) { return write_token(token, generator_print(token.system)); }

std::string write_token(const Token& token, uint32_t print) {
  std::string bytes(1, static_cast<char>(kVersion));
  put(bytes, token.system);
  put(bytes, print);
  put(bytes, token.candidate);
  put(bytes, world_name(token.world));
  put(bytes, static_cast<uint32_t>(token.answers.size()));
  for (const std::vector<uint32_t>& list : token.answers) put(bytes, list);
  return checked_word(std::move(bytes));
}

std::string checked_word(std::string bytes) {
  put(bytes, check_of(bytes));
  return to_base64(bytes);
}

Result<Token> read_token(std::string_view text) {
  const auto bytes = from_base64(text);
  if (!bytes || bytes->empty()) return damaged(text);
  Source source{*bytes};
  if (const uint8_t version = source.byte(); version != kVersion)
    return Status(Code::usage,
                  fmt::format("a token of version {}, expected version {}: of another release, or damaged", version, kVersion));
  Token token{.system = source.text()};
  const uint32_t print = source.number();
  token.candidate = source.text();
  const std::optional<WorldKind> world = world_from_name(source.text());
  const uint32_t lists = source.number();
  if (!world) return damaged(text);
  token.world = *world;
  for (uint32_t list = 0; list < lists && source.ok; ++list) token.answers.push_back(source.numbers());
  const uint32_t check = check_of(std::string_view(*bytes).substr(0, bytes->size() - source.left.size()));
  if (!source.ok || source.number() != check || !source.ok || !source.left.empty()) return damaged(text);
  if (std::ranges::count(drawn_systems(), token.system) == 0)
    return Status(Code::usage, fmt::format("a token of system \"{}\", for which this program draws nothing{}", token.system,
                                           did_you_mean(token.system, drawn_systems())));
  if (const uint32_t mine = generator_print(token.system); print != mine)
    return Status(Code::usage,
                  fmt::format("a foreign token: its program draws cases by rules {:08x}, this one by rules {:08x}; the scenario "
                              "file that was written with it can be played by any",
                              print, mine));
  return token;
}

}  // namespace reloadlab::sim::fuzz
