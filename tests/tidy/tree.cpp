#include "tests/tidy/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

namespace reloadlab::tidy {
namespace {

// Not what is made here: build/, out/ and the like.
constexpr std::array<std::string_view, 8> folders = {"reference", "sim", "scenarios", "tests", "bench", "ci", ".ci", "cmake"};

std::vector<std::string> read_lines(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string_view trimmed(std::string_view text) {
  size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string_view() : text.substr(first);
}

}  // namespace

Tree read_tree(const std::filesystem::path& root) {
  Tree tree;
  const auto take = [&](const std::filesystem::directory_entry& entry) {
    if (entry.is_regular_file()) tree[entry.path().lexically_relative(root).generic_string()] = read_lines(entry.path());
  };
  for (const auto& entry : std::filesystem::directory_iterator(root)) take(entry);
  tree.erase(".git");  // a file, in a linked work tree
  for (std::string_view folder : folders) {
    if (!std::filesystem::is_directory(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) take(entry);
  }
  return tree;
}

std::string_view folder_of(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_source(std::string_view path) { return path.ends_with(".cpp") || path.ends_with(".cu"); }
bool is_cpp(std::string_view path) { return is_source(path) || path.ends_with(".h") || path.ends_with(".hpp"); }

bool is_below(std::string_view path, std::string_view folder_or_file) {
  return path.starts_with(folder_or_file) && (path.size() == folder_or_file.size() || path[folder_or_file.size()] == '/');
}

std::string_view without_comment(std::string_view line) { return line.substr(0, line.find("//")); }

std::vector<Include> includes_of(const std::vector<std::string>& lines) {
  std::vector<Include> includes;
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string_view rest = trimmed(lines[i]);
    if (!rest.starts_with("#include")) continue;
    size_t open = rest.find_first_of("<\"");
    if (open == rest.npos) continue;
    size_t close = rest.find(rest[open] == '<' ? '>' : '"', open + 1);
    includes.push_back({std::string(rest.substr(open + 1, close - open - 1)), rest[open] == '"', static_cast<int>(i + 1)});
  }
  return includes;
}

std::vector<std::string> cmake_words(const std::vector<std::string>& lines) {
  constexpr std::string_view separators = " \t()\";";
  std::vector<std::string> words;
  for (std::string_view line : lines) {
    line = line.substr(0, line.find('#'));
    while (!(line = line.substr(std::min(line.find_first_not_of(separators), line.size()))).empty()) {
      words.emplace_back(line.substr(0, line.find_first_of(separators)));
      line.remove_prefix(words.back().size());
    }
  }
  return words;
}

std::string message(std::string_view path, int line, std::string_view what, std::string_view instead) {
  return fmt::format("{}:{}: {}, use {}", path, line, what, instead);
}

}  // namespace reloadlab::tidy
