#include "sim/report/annotations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "sim/report/verdict_text.h"

namespace reloadlab::sim {
namespace {

constexpr size_t most = 10;

struct Attention {
  const CaseResult* one;
  const LawResult* law;  // null: the case came to another end
  size_t importance;     // least first
  size_t nth;            // of those of this importance that the candidate has in the scenario: ten of one say less than one of ten
};

size_t importance_of(State state) {
  constexpr std::array order{State::hang, State::fail, State::unexpected_pass, State::flaky, State::inconclusive};
  return 2 + static_cast<size_t>(std::ranges::find(order, state) - order.begin());
}

std::vector<Attention> by_importance(const RunResult& run) {
  std::vector<Attention> all;
  std::map<std::tuple<size_t, std::string, std::string>, size_t> counts;
  const auto add = [&](const CaseResult& one, const LawResult* law, size_t importance) {
    all.push_back({&one, law, importance, counts[{importance, one.scenario, one.candidate}]++});
  };
  for (const CaseResult& one : run.cases) {
    if (one.end == End::defect || one.end == End::bad_data) add(one, nullptr, one.end == End::defect ? 0 : 1);
    for (const LawResult& law : one.laws)
      if (needs_attention(law.state)) add(one, &law, importance_of(law.state));
  }
  std::ranges::stable_sort(all, {}, [](const Attention& each) { return std::pair(each.importance, each.nth); });
  return all;
}

// A message ends at the line's end, a property at a comma or a colon as well.
std::string escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : text) {
    const bool special = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
    out += special ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return out;
}

std::string message_of(const LawResult& law) {
  std::string text = law.reason;
  if (law.finding) text = fmt::format("{}{}{}", law.finding->tensor, law.finding->tensor.empty() ? "" : " ", law.finding->what);
  if (law.state == State::unexpected_pass) text = unexpected_pass_text(law);
  if (law.finding)
    for (const std::string& line : {law.finding->first, law.finding->why, law.reason})
      if (!line.empty()) text += "\n" + line;
  return text;
}

std::string line_of(const Attention& each) {
  const CaseResult& one = *each.one;
  const bool warns = each.law && (each.law->state == State::flaky || each.law->state == State::inconclusive);
  const Position at = each.law && each.law->at ? *each.law->at : Position();
  const std::string title = fmt::format("{}: {} {}", one.candidate, each.law ? each.law->law : end_name(one.end), one.id());
  return fmt::format("::{} file={},line={},col={},title={}::{}\n", warns ? "warning" : "error", escaped(one.file, true), at.line, at.column,
                     escaped(title, true), escaped(each.law ? message_of(*each.law) : one.reason, false));
}

}  // namespace

std::string github_annotations(const RunResult& run) {
  const std::vector<Attention> all = by_importance(run);
  std::string text;
  for (size_t i = 0; i < std::min(all.size(), most); ++i) text += line_of(all[i]);
  if (all.size() > most) text += fmt::format("{} more are in {}\n", all.size() - most, run.run.folder);
  return text;
}

}  // namespace reloadlab::sim
