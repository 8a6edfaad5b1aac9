#pragma once
// A run held against an earlier one: a case whose exact cost counters (sim/evidence/costs.h) went up breaks the law `within_baseline`.
// Wall time is never compared, nor are cases on real devices, whose counters may differ from run to run.
//
// Cases are matched by candidate, id and world. Where the candidate has another name there, as another version of it has,
// `stands_for` says which one here it is compared with: {"vllm@0.17.1", "vllm@0.24.0"}.
#include <array>
#include <filesystem>
#include <span>
#include <utility>

#include "reference/base/status.h"
#include "sim/report/run_result.h"

namespace reloadlab::sim {

struct BaselineOptions {
  std::filesystem::path file;                     // a result.json, or a run's folder
  std::map<std::string, std::string> stands_for;  // candidate there → candidate here
};

class Baseline {
 public:
  // Code::data: the file is no result of this schema, or was made with another seed. Code::usage: a name that is not there.
  static Result<Baseline> open(const BaselineOptions& options, uint64_t seed, std::span<const std::string> candidates_here);

  // Adds the law to a case that was played, and notes what got better.
  void judge(CaseResult& one);
  // What it came to, once every case was handed in. `whole`: all cases were to be played, so that those that were not are told.
  BaselineReport report(bool whole) const;

 private:
  using Key = std::array<std::string, 3>;  // candidate, scenario and variant, world
  void compare(const Costs& before, CaseResult& one, LawResult& law);
  std::map<Key, CaseResult> there_;
  BaselineReport report_;
  std::map<Key, bool> met_;
};

// For people: the lines that say what it came to.
std::string baseline_text(const BaselineReport& report);

}  // namespace reloadlab::sim
