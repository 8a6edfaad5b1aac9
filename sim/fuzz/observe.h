#pragma once
// One case by one candidate, in this process and quickly: what it came to, and what it showed that other cases may not have.
#include <compare>
#include <string>
#include <vector>

#include "sim/campaign/engine.h"

namespace reloadlab::sim::fuzz {

// By what failures are told apart: many cases show one bug, and a shrunk case must show the bug that it was shrunk for.
struct Cause {
  std::string law;
  std::string execution;  // "warm", "fault", "order": which variation showed it first
  std::string step;       // what kind of step
  std::string tensor;     // what kind of tensor: "parameter", "buffer", "shared", "extra", "made" (by a step or a forward); empty: none
  auto operator<=>(const Cause&) const = default;
};
std::string text(const Cause& cause);  // "written_once, warm, reload, parameter"

struct Observation {
  End end = End::judged;
  std::string reason;             // of every end but judged
  std::vector<LawResult> failed;  // laws, in their order
  int64_t inconclusive = 0;
  bool hangs = false;  // of what failed, something did not come back
  uint64_t shape = 0;  // of the trace, without sizes, names and contents
  std::vector<std::string> probes;
  std::vector<Cause> causes;  // of each failed law

  bool shows(const Cause& cause) const;
};

// With `twice` it is played once more, and what differs breaks the law `same_again`.
Observation observe(const Case& the_case, const std::string& candidate, const Engine& engine, bool twice = false);

// Of a case whose process did not come back: it breaks the law `survives`. "killed by signal 11 (SIGSEGV)".
Observation lost(const std::string& how);

}  // namespace reloadlab::sim::fuzz
