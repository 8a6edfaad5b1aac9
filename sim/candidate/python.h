#pragma once
// Candidates that are Python classes: "python:module:Class" (with a profile of theirs, "python:module:Class@fast"), and releases of others'
// packages, "vllm@0.17.1", whose reload code stands behind a class of ours (sim/python/reloadlab/peers).
//
// Python is hosted by `python -m reloadlab`, which is this program as a Python module (sim/python): there a class is imported and played.
// In the program itself one is only described, by a process that imports it and says what it is; its workers are started as that module.
#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"
#include "sim/candidate/plugin.h"

namespace reloadlab::sim {

struct CandidateInfo;

// Families of others' releases; the Python package knows more of each.
inline constexpr std::string_view kPeers[] = {"vllm", "vllm-oq", "vllm-ascend"};

inline bool is_python(std::string_view spelling) {
  if (spelling.starts_with("python:")) return true;
  return std::ranges::find(kPeers, spelling.substr(0, spelling.find('@'))) != std::end(kPeers);
}

// What others wrote, as a library or in Python: it is played in workers.
inline bool is_foreign(const std::string& spelling) { return is_plugin(spelling) || is_python(spelling); }

// Code::usage: there is no such module, class or profile. Code::data: it is no candidate, or importing it goes wrong, and how.
Result<CandidateInfo> find_python(const std::string& spelling);
// The same in a process that ends then. Once for each spelling.
Result<CandidateInfo> describe_python(const std::string& spelling);

// Makes this process one that plays them; it has said how it is started once more (reference/base/program.h).
using PythonFinder = std::function<Result<CandidateInfo>(const std::string& spelling)>;
void host_python(PythonFinder find);
bool hosts_python();

// How this program is started as a Python module, or, where Python hosts it already, as what it is: by RELOADLAB_PYTHON, or the python of
// the environment that LibTorch was found in. What lies beside the program is put on PYTHONPATH for it. Code::usage: there is no such
// python.
Result<std::vector<std::string>> python_command();

}  // namespace reloadlab::sim
