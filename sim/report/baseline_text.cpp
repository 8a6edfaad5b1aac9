#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/report/baseline.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

// All of them are in result.json.
std::string some_of(const std::vector<std::string>& cases) {
  constexpr size_t few_enough = 5;
  const std::vector<std::string> few(cases.begin(), cases.begin() + static_cast<std::ptrdiff_t>(std::min(cases.size(), few_enough)));
  std::string text = fmt::format("{}", fmt::join(few, ", "));
  return cases.size() > few_enough ? fmt::format("{} and {} more", text, grouped(static_cast<int64_t>(cases.size() - few_enough))) : text;
}

}  // namespace

std::string baseline_text(const BaselineReport& report) {
  std::string text = fmt::format("baseline {}: {} compared, {} worse, {} better\n", report.file, plural(report.compared, "case"),
                                 grouped(report.worse), grouped(report.better));
  for (const auto& [there, here] : report.stands_for) text += fmt::format("  {} there is compared with {} here\n", there, here);
  if (!report.only_there.empty()) text += fmt::format("  only in the baseline: {}\n", some_of(report.only_there));
  if (!report.only_here.empty()) text += fmt::format("  not in the baseline: {}\n", some_of(report.only_here));
  return text;
}

}  // namespace reloadlab::sim
