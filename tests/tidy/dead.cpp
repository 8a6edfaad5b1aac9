// No file is dead: a header is included, and whatever no compiler and no run of the scenarios finds is named by what uses it.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "tests/tidy/checks.h"

namespace reloadlab::tidy {
namespace {

// Files that a tool finds by their name alone.
constexpr std::string_view found_by_name[] = {".clang-format", ".clang-tidy", ".gitignore", "CMakePresets.json", "README.md", ".ci/run"};

// Sources, scenarios and READMEs have checks of their own.
bool is_checked_elsewhere(std::string_view path) {
  return is_cpp(path) || is_below(path, "scenarios") || name_of(path) == "CMakeLists.txt" || name_of(path) == "README.md" ||
         is_below(path, "ci/releases") ||                                 // found by ci/peers by the release's name
         (is_below(path, "bench/results") && path.ends_with(".json")) ||  // drawn by bench/results/tables
         std::find(std::begin(found_by_name), std::end(found_by_name), path) != std::end(found_by_name);
}

bool is_word_character(char c) { return c == '_' || c == '.' || c == '-' || std::isalnum(static_cast<unsigned char>(c)); }

// True when the line has the text between characters that belong to no longer name; before it stands one of `before`.
bool has(std::string_view line, std::string_view text, std::string_view before) {
  for (size_t at = line.find(text); at != line.npos; at = line.find(text, at + 1)) {
    const size_t end = at + text.size();
    const bool begins = before.empty() ? at == 0 || !is_word_character(line[at - 1]) : at > 0 && before.find(line[at - 1]) != before.npos;
    if (begins && (end == line.size() || !is_word_character(line[end]))) return true;
  }
  return false;
}

// A module by include(name); a script without suffix by its path; the others by "name" or …/name.
bool names(std::string_view line, std::string_view path) {
  const std::string_view name = name_of(path);
  if (path.ends_with(".cmake")) return line.find(fmt::format("include({})", name.substr(0, name.rfind('.')))) != line.npos;
  return name.find('.') == name.npos ? has(line, path, "") : has(line, name, "\"/");
}

// A folder of data that a test beside it reads whole: "bad", or …/bad in quotes.
bool reads_folder(std::string_view line, std::string_view folder) { return has(line, std::string(name_of(folder)) + "\"", "\"/"); }

bool is_used_by(std::string_view path, const std::string& other, const std::vector<std::string>& lines) {
  const std::string_view folder = folder_of(path);
  if (other == path || other == std::string(folder) + "/README.md") return false;
  const bool beside = is_cpp(other) && folder_of(other) == folder_of(folder);
  return std::any_of(lines.begin(), lines.end(),
                     [&](std::string_view line) { return names(line, path) || (beside && reads_folder(line, folder)); });
}

}  // namespace

Complaints check_dead_headers(const Tree& tree) {
  std::set<std::string, std::less<>> included;
  for (const auto& [path, lines] : tree)
    for (const Include& include : includes_of(lines)) included.insert(include.target);
  Complaints complaints;
  for (const auto& [path, lines] : tree) {
    if (is_cpp(path) && !is_source(path) && !included.contains(path) && !is_below(path, "cmake")) {
      complaints.push_back(message(path, 1, "a header that nothing includes", "it, or git rm"));
    }
  }
  return complaints;
}

Complaints check_dead_files(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, lines] : tree) {
    if (is_checked_elsewhere(path)) continue;
    const bool used = std::any_of(tree.begin(), tree.end(), [&](const auto& other) { return is_used_by(path, other.first, other.second); });
    if (!used) complaints.push_back(message(path, 1, "a file that nothing names", "it where it belongs, or git rm"));
  }
  return complaints;
}

}  // namespace reloadlab::tidy
