#pragma once
// The source tree as text, for checks that read it. A fake tree is a literal of the same type.
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace reloadlab::tidy {

// Path from the root, with '/', to the file's lines.
using Tree = std::map<std::string, std::vector<std::string>, std::less<>>;

// Every file in the root and in the folders of the house.
Tree read_tree(const std::filesystem::path& root);

std::string_view folder_of(std::string_view path);  // "" for a file in the root
std::string_view name_of(std::string_view path);    // without its folder
bool is_cpp(std::string_view path);                 // a source or a header
bool is_source(std::string_view path);              // a file that a compiler is given
bool is_below(std::string_view path, std::string_view folder_or_file);
std::string_view without_comment(std::string_view line);  // cut at "//", which in a string literal is taken for one as well

struct Include {
  std::string target;
  bool ours;  // in quotes
  int line;   // from 1
};
std::vector<Include> includes_of(const std::vector<std::string>& lines);

// Words of a CMake file, comments left out: "reloadlab_test", "name", "SOURCES", "a.cpp".
std::vector<std::string> cmake_words(const std::vector<std::string>& lines);

// "path:line: what, use instead"
std::string message(std::string_view path, int line, std::string_view what, std::string_view instead);

}  // namespace reloadlab::tidy
