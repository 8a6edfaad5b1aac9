#pragma once
// Candidates that are shared libraries, named by their path: "build/libmine.so", "./libmine.so@fast".
#include <string>
#include <string_view>
#include <utility>

#include "reference/base/status.h"

namespace reloadlab::sim {

struct CandidateInfo;

// The path and what follows the '@'. Folders and files may have one in their names, too: a profile comes behind ".so".
inline std::pair<std::string, std::string> split_plugin(std::string_view spelling) {
  constexpr std::string_view ending = ".so";
  const size_t slash = spelling.rfind('/');
  const size_t file = slash == spelling.npos ? 0 : slash, library = spelling.find(".so@", file);
  const size_t at = library != spelling.npos     ? library + ending.size()
                    : spelling.ends_with(ending) ? spelling.npos
                                                 : spelling.find('@', file);
  if (at == spelling.npos) return {std::string(spelling), {}};
  return {std::string(spelling.substr(0, at)), std::string(spelling.substr(at + 1))};
}

// No other candidate's name has a slash, or ends so. (python.h: what begins with "python:" is looked at first.)
inline bool is_plugin(std::string_view spelling) {
  if (spelling.starts_with("python:")) return false;
  const std::string path = split_plugin(spelling).first;
  return path.find('/') != path.npos || path.ends_with(".so");
}

// Opens the library once in a process. Code::usage: there is no such file or profile. Code::data: it is no plug-in, or was built otherwise
// than this program, and how. Its name is its spelling, so that it is found by it again, wherever the case is played.
Result<CandidateInfo> find_plugin(const std::string& spelling);
// The same in a process that ends then: Code::data where it does not come back from there, and how it ends.
Status try_plugin(const std::string& spelling);

}  // namespace reloadlab::sim
