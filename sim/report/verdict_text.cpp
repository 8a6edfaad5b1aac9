#include "sim/report/verdict_text.h"

#include <fmt/format.h>

namespace reloadlab::sim {

std::string finding_text(const LawResult& law) {
  if (!law.finding) return {};
  const Finding& finding = *law.finding;
  std::string text = fmt::format("{}{}rank {}, step {}{}{}\n", finding.execution, finding.execution.empty() ? "" : ", ", finding.rank,
                                 finding.step, law.step_text.empty() ? "" : ": ", law.step_text);
  for (const std::string& line : {finding.tensor, finding.what, finding.first, finding.why, law.reason})
    if (!line.empty()) text += line + "\n";
  return text;
}

std::string unexpected_pass_text(const LawResult& law) { return fmt::format("known to fail ({}), but passes", law.rule); }

}  // namespace reloadlab::sim
