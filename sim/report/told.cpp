#include "sim/report/told.h"

#include <algorithm>

namespace reloadlab::sim {
namespace {

int urgency(const CaseResult& one) {
  int most = one.end == End::judged || one.end == End::skipped ? 0 : 2;
  for (const LawResult& law : one.laws) {
    if (needs_attention(law.state)) return 2;
    if (law.state == State::known || law.state == State::quarantined) most = std::max(most, 1);
  }
  return most;
}

}  // namespace

std::vector<const CaseResult*> told_cases(const RunResult& run) {
  std::vector<const CaseResult*> told;
  for (const int each : {2, 1, 0})
    for (const CaseResult& one : run.cases)
      if (told.size() < kMostTold && one.end != End::skipped && urgency(one) == each) told.push_back(&one);
  return told;
}

std::set<std::string> ids_of(std::span<const CaseResult* const> cases) {
  std::set<std::string> ids;
  for (const CaseResult* one : cases) ids.insert(one->id());
  return ids;
}

std::vector<const TracedExecution*> executions_of(const CaseResult& one, std::span<const TracedExecution> all) {
  std::vector<const TracedExecution*> own;
  for (const TracedExecution& execution : all)
    if (execution.id == one.id() && execution.candidate == one.candidate) own.push_back(&execution);
  return own;
}

}  // namespace reloadlab::sim
