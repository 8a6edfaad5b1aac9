// Nothing lies about unknown: sources and folders are all reachable, and folders say what they are.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/tidy/checks.h"

namespace reloadlab::tidy {
namespace {

constexpr size_t readme_lines_max = 60;  // a screen

// A folder that holds only data of its tests, or expectations of one system, is explained by the one above.
bool needs_explanation(std::string_view path) {
  return is_cpp(path) || path.ends_with("/CMakeLists.txt") || path.ends_with(".cmake") || is_below(path, "ci") ||
         (is_below(path, "scenarios") && !is_below(path, "scenarios/expectations"));
}

std::set<std::string> folders_to_explain(const Tree& tree) {
  std::set<std::string> folders;
  for (const auto& [path, lines] : tree)
    if (needs_explanation(path)) folders.emplace(folder_of(path));
  return folders;
}

// What is printed into a README between marks is looked up and not read through.
size_t lines_to_read(const std::vector<std::string>& readme) {
  return static_cast<size_t>(std::find(readme.begin(), readme.end(), "<!-- keys -->") - readme.begin());
}

bool is_folder(const Tree& tree, std::string_view folder) {
  return std::any_of(tree.begin(), tree.end(), [&](const auto& file) { return folder_of(file.first) == folder; });
}

// tests/sim/law is explained by sim/law.
bool mirrors_another(const Tree& tree, std::string_view folder) {
  constexpr std::string_view tests = "tests/";
  return folder.starts_with(tests) && is_folder(tree, folder.substr(tests.size()));
}

// True when the CMakeLists.txt of the file's folder, or of one above it, has the file's path as a word.
bool is_listed(const Tree& tree, std::string_view path) {
  for (std::string_view folder = folder_of(path);; folder = folder_of(folder)) {
    std::string list = folder.empty() ? "CMakeLists.txt" : std::string(folder) + "/CMakeLists.txt";
    std::string_view relative = folder.empty() ? path : path.substr(folder.size() + 1);
    if (auto found = tree.find(list); found != tree.end()) {
      std::vector<std::string> words = cmake_words(found->second);
      if (std::find(words.begin(), words.end(), relative) != words.end()) return true;
    }
    if (folder.empty()) return false;
  }
}

}  // namespace

Complaints check_readmes(const Tree& tree) {
  Complaints complaints;
  for (const std::string& folder : folders_to_explain(tree)) {
    auto readme = tree.find(folder + "/README.md");
    if (readme == tree.end() && !mirrors_another(tree, folder)) {
      complaints.push_back(
          message(folder + "/README.md", 1, "a folder without a README.md", "a screen: what lives here, what it may use, where to start"));
    }
    if (readme != tree.end() && lines_to_read(readme->second) > readme_lines_max) {
      complaints.push_back(message(readme->first, static_cast<int>(readme_lines_max + 1),
                                   fmt::format("{} lines", lines_to_read(readme->second)),
                                   fmt::format("at most {}, a screen", readme_lines_max)));
    }
  }
  return complaints;
}

Complaints check_registration(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, lines] : tree) {
    if (is_below(path, "cmake")) continue;
    if (is_source(path) && !is_listed(tree, path)) {
      complaints.push_back(message(path, 1, "a source in no CMakeLists.txt", "a line in its folder's CMakeLists.txt, or git rm"));
    }
    if (path.ends_with("/CMakeLists.txt") && !is_listed(tree, folder_of(path))) {
      complaints.push_back(message(path, 1, "a folder that no CMakeLists.txt adds", "add_subdirectory in the folder above"));
    }
  }
  return complaints;
}

}  // namespace reloadlab::tidy
