#pragma once
// Python classes as candidates, in a process that hosts Python.
#include "sim/candidate/candidate.h"
#include "sim/python/gil.h"

namespace reloadlab::python {

// What an instance is made with, and reports to, as Python sees it.
struct Context {
  sim::CandidateContext context;
  void report(const std::string& kind, const std::string& layer, const std::string& slot, int64_t numel, const std::string& detail) const;
};

// Imports it. As find_python() does.
Result<sim::CandidateInfo> find_class(const std::string& spelling);

}  // namespace reloadlab::python
