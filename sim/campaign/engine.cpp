#include "sim/campaign/engine.h"

#include <fmt/format.h>

namespace reloadlab::sim {

std::vector<std::string> Engine::law_ids() const {
  std::vector<std::string> ids;
  for (const LawText& law : laws) ids.push_back(law.id);
  return ids;
}

std::string failure_text(const LawResult& law) {
  if (!law.finding) return law.law;
  const Finding& finding = *law.finding;
  const std::string step = finding.step < 0 ? "" : fmt::format(", step {}", finding.step);
  return fmt::format("{}: rank {}{}{}: {}{}", law.law, finding.rank, step, finding.tensor.empty() ? "" : ", " + finding.tensor,
                     finding.what, finding.first.empty() ? "" : "; " + finding.first);
}

}  // namespace reloadlab::sim
