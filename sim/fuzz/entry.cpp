#include "sim/fuzz/entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "reference/base/prng.h"
#include "sim/law/law.h"
#include "sim/report/run_folder.h"
#include "sim/report/verdict_text.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

constexpr std::string_view kReplay = "# reloadlab replay ";
constexpr std::string_view kCandidate = "# candidate  ";
constexpr std::string_view kCause = "# cause      ";
constexpr std::string_view kSeen = "# seen       ";
constexpr std::string_view kSmallest = "# smallest   ";
constexpr std::string_view kFinding = "#   ";

// Line after line of a text.
struct Lines {
  std::string_view left;
  int number = 0;

  std::string_view next() {
    const size_t end = std::min(left.find('\n'), left.size());
    const std::string_view line = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    return ++number, line;
  }
  Result<std::string> after(std::string_view head, const std::string& file_name) {
    if (left.starts_with(head)) return std::string(next().substr(head.size()));
    return Status(Code::data, fmt::format("{}:{}: no entry of a store, expected \"{}…\"", file_name, number + 1, head));
  }
};

// Each line of a text as a comment.
std::string commented(std::string_view text) {
  std::string all;
  for (Lines lines{text}; !lines.left.empty();) all += fmt::format("{}{}\n", kFinding, lines.next());
  return all;
}

// As text(Cause) writes it.
Result<Cause> parse_cause(std::string_view text, const std::string& file_name) {
  std::vector<std::string> words;
  for (size_t end = text.find(", "); end != std::string_view::npos; end = text.find(", ")) {
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 2);
  }
  words.emplace_back(text);
  if (words.size() < 3 || words.size() > 4)
    return Status(Code::data, fmt::format("{}:3: no cause, expected \"law, execution, step, tensor\"", file_name));
  return Cause{words[0], words[1], words[2], words.size() > 3 ? words[3] : ""};
}

}  // namespace

std::string stem_of(const Entry& entry) {
  const Cause& cause = entry.cause;
  const uint64_t print = hash_name(text(cause) + entry.candidate);
  return file_stem(fmt::format("{}-{}-{}-{:08x}", cause.law, cause.step, cause.tensor.empty() ? "model" : cause.tensor,
                               static_cast<uint32_t>(mix64(print))));
}

Entry entry_of(const Found& found) {
  Entry entry{.token = found.token.answers.empty() ? "" : write_token(found.token),
              .candidate = found.token.candidate,
              .cause = found.cause,
              .seen = found.count,
              .smallest = found.smallest,
              .finding = finding_text(found.law)};
  if (entry.finding.empty() && !found.law.reason.empty()) entry.finding = found.law.reason + "\n";
  set_scenario(entry, found.the_case);
  return entry;
}

// Names differ, so that a folder of entries is a folder of scenarios.
void set_scenario(Entry& entry, Case the_case) {
  the_case.scenario = stem_of(entry);
  for (char& letter : the_case.scenario) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  the_case.about = fmt::format("Drawn, and made small: {} shows {}.", entry.candidate, text(entry.cause));
  the_case.tags = {"drawn"};
  entry.scenario = emit(the_case);
}

std::string text(const Entry& entry) {
  return fmt::format("{}{}\n{}{}\n{}{}\n{}{}\n{}{}\n{}{}", kReplay, entry.token.empty() ? stem_of(entry) + ".yaml" : entry.token,
                     kCandidate, entry.candidate, kCause, text(entry.cause), kSeen, entry.seen, kSmallest, entry.smallest ? "yes" : "no",
                     commented(entry.finding), entry.scenario);
}

Result<Entry> parse_entry(std::string_view text, const std::string& file_name) {
  Lines lines{text};
  Entry entry;
  RELOADLAB_ASSIGN(entry.token, lines.after(kReplay, file_name));
  if (entry.token.ends_with(".yaml")) entry.token.clear();
  RELOADLAB_ASSIGN(entry.candidate, lines.after(kCandidate, file_name));
  RELOADLAB_ASSIGN(const std::string cause, lines.after(kCause, file_name));
  RELOADLAB_ASSIGN(entry.cause, parse_cause(cause, file_name));
  RELOADLAB_ASSIGN(const std::string seen, lines.after(kSeen, file_name));
  const char* end = seen.data() + seen.size();
  if (const auto [last, error] = std::from_chars(seen.data(), end, entry.seen); error != std::errc() || last != end || entry.seen < 0)
    return Status(Code::data, fmt::format("{}:4: \"{}\" is no number of cases", file_name, seen));
  RELOADLAB_ASSIGN(const std::string smallest, lines.after(kSmallest, file_name));
  entry.smallest = smallest == "yes";
  while (lines.left.starts_with(kFinding)) entry.finding += std::string(lines.next().substr(kFinding.size())) + "\n";
  entry.scenario = lines.left;
  RELOADLAB_TRY(case_of(entry, file_name).status());
  return entry;
}

Result<std::vector<Case>> parse_drawn(const std::string& text, const std::string& file_name) {
  ParseOptions options;
  for (const LawInfo& law : laws()) options.known_laws.emplace_back(law.id);
  return parse_scenario(text, file_name, options);
}

Result<Case> case_of(const Entry& entry, const std::string& file_name) {
  RELOADLAB_ASSIGN(std::vector<Case> cases, parse_drawn(entry.scenario, file_name));
  if (cases.size() != 1) return Status(Code::data, fmt::format("{}: {} cases, expected one", file_name, cases.size()));
  return std::move(cases.front());
}

std::string candidate_in(std::string_view text) {
  const size_t at = text.find(kCandidate);
  if (at == std::string_view::npos || (at > 0 && text[at - 1] != '\n')) return {};
  text.remove_prefix(at + kCandidate.size());
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace reloadlab::sim::fuzz
