#include "sim/fuzz/store.h"

#include <fmt/format.h>

#include <system_error>

#include "reference/base/prng.h"
#include "sim/report/run_folder.h"
#include "sim/report/verdict_text.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

constexpr std::string_view kCandidate = "# candidate  ";

// Each line of a text as a comment.
std::string commented(std::string_view lines) {
  std::string text;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    text += fmt::format("#   {}\n", lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return text;
}

std::string stem_of(const Found& found) {
  const Cause& cause = found.cause;
  const uint64_t print = hash_name(text(cause) + found.token.candidate);
  return file_stem(fmt::format("{}-{}-{}-{:08x}", cause.law, cause.step, cause.tensor.empty() ? "model" : cause.tensor,
                               static_cast<uint32_t>(mix64(print))));
}

}  // namespace

std::string file_name(const Found& found) { return stem_of(found) + ".yaml"; }

std::string file_text(const Found& found) {
  Case the_case = found.the_case;
  the_case.scenario = stem_of(found);
  for (char& letter : the_case.scenario) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  the_case.about = fmt::format("Drawn, and made small: {} shows {}.", found.token.candidate, text(found.cause));
  the_case.tags = {"drawn"};
  return fmt::format("# reloadlab replay {}\n{}{}\n{}{}", write_token(found.token), kCandidate, found.token.candidate,
                     commented(finding_text(found.law)), emit(the_case));
}

std::string candidate_in(std::string_view text) {
  const size_t at = text.find(kCandidate);
  if (at == std::string_view::npos || (at > 0 && text[at - 1] != '\n')) return {};
  text.remove_prefix(at + kCandidate.size());
  return std::string(text.substr(0, text.find('\n')));
}

Result<std::filesystem::path> keep(const std::filesystem::path& store, const Found& found) {
  const std::filesystem::path folder = store / "failing";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Status(Code::failed, fmt::format("{}: {}", folder.string(), error.message()));
  const std::filesystem::path file = folder / file_name(found);
  // One entry for a cause: what an earlier campaign, or another process of this one, left there stays if it is as small.
  const std::string text = file_text(found);
  if (const auto size = std::filesystem::file_size(file, error); !error && size <= text.size()) return file;
  RELOADLAB_TRY(write_file(file, text));
  return file;
}

}  // namespace reloadlab::sim::fuzz
