#include "tests/sim/report/golden.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace reloadlab::tests {
namespace {

constexpr std::string_view kAny = "{any}";

std::string path_of(const std::string& file) { return std::string(RELOADLAB_SOURCE_DIR) + "/tests/sim/report/golden/" + file; }

std::string golden_read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// One line against one line; the first {any} takes as little as it can.
bool line_matches(std::string_view line, std::string_view pattern) {
  const size_t at = pattern.find(kAny);
  if (at == std::string_view::npos) return line == pattern;
  if (line.substr(0, at) != pattern.substr(0, at)) return false;
  for (size_t skip = at; skip <= line.size(); ++skip)
    if (line_matches(line.substr(skip), pattern.substr(at + kAny.size()))) return true;
  return false;
}

std::string_view cut_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

}  // namespace

bool matches(std::string_view text, std::string_view pattern) {
  while (!text.empty() && !pattern.empty())
    if (!line_matches(cut_line(text), cut_line(pattern))) return false;
  return text.empty() && pattern.empty();
}

testing::AssertionResult is_golden(const std::string& text, const std::string& file) {
  const std::string pattern = golden_read(path_of(file));
  if (matches(text, pattern)) return testing::AssertionSuccess();
  if (std::getenv("RELOADLAB_UPDATE_GOLDEN")) std::ofstream(path_of(file), std::ios::binary) << text;
  return testing::AssertionFailure() << file << " says\n" << pattern << "but this came out\n" << text;
}

}  // namespace reloadlab::tests
