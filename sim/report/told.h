#pragma once
// Of which cases a report tells more than their verdicts.
#include <set>
#include <span>
#include <string>
#include <vector>

#include "sim/report/run_result.h"
#include "sim/report/trace_file.h"

namespace reloadlab::sim {

inline constexpr size_t kMostTold = 10;

// Those that need attention first, then those with what is known or quarantined, then others: ten at most.
std::vector<const CaseResult*> told_cases(const RunResult& run);
std::set<std::string> ids_of(std::span<const CaseResult* const> cases);
// Executions of one of them: the warm ones, and those that findings name.
std::vector<const TracedExecution*> executions_of(const CaseResult& one, std::span<const TracedExecution> all);

}  // namespace reloadlab::sim
