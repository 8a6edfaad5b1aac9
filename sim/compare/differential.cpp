#include "sim/compare/differential.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/campaign/expectation_book.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

std::string verdict_text(const LawResult& law) {
  std::string text(state_name(law.state));
  if (!law.finding) return text;
  const Evidenced first = evidenced_by(*law.finding);
  return fmt::format("{} at {}, rank {}, step {}{}{}", text, first.execution, law.finding->rank, first.step,
                     first.tensor.empty() ? "" : ", ", first.tensor);
}

// Which cases run twice is drawn by name, and what a candidate reports is its word, which some do not give.
bool is_no_deed(std::string_view law) { return law == kSameAgain || law == "coverage_reported"; }

Behaviour verdicts(const CaseResult& one) {
  Behaviour lines;
  for (const LawResult& law : one.laws)
    if (!is_no_deed(law.law)) lines.push_back({"verdicts", law.law, verdict_text(law)});
  return lines;
}

Differing held_against(const Answer& first, const Answer& other) {
  Differing one{.id = other.result.id(),
                .scenario = other.result.scenario,
                .first = first.result.candidate,
                .candidate = other.result.candidate,
                .left_out = {},
                .rows = {}};
  for (const CaseResult* each : {&first.result, &other.result})
    if (each->end != End::judged) one.left_out = fmt::format("{}: {}: {}", each->candidate, end_name(each->end), each->reason);
  if (one.left_out.empty()) {
    one.rows = first_in("verdicts", verdicts(first.result), verdicts(other.result));
    for (Disagreement& row : disagreements(first.behaviour, other.behaviour)) one.rows.push_back(std::move(row));
  }
  return one;
}

}  // namespace

void Differential::add(const Answer& answer) {
  if (!first_ || first_->result.id() != answer.result.id())
    first_ = answer;
  else
    all_.push_back(held_against(*first_, answer));
}

std::string_view word(const Differing& one) {
  if (!one.left_out.empty()) return "not compared";
  if (one.rows.empty()) return "the same";
  return std::ranges::any_of(one.rows, &std::string::empty, &Disagreement::reason) ? "differs" : "known";
}

std::string disagreement_text(const Disagreement& row) { return fmt::format("{}: {} | {}", row.place, row.one, row.other); }

std::string differing_text(const Differing& one) {
  std::string text = fmt::format("{}  {} | {}  {}\n", one.id, one.first, one.candidate, word(one));
  if (!one.left_out.empty()) text += fmt::format("  {}\n", one.left_out);
  for (const Disagreement& row : one.rows)
    text += fmt::format("  {:<11}{}\n", row.aspect, disagreement_text(row)) +
            (row.reason.empty() ? "" : fmt::format("             known: {}\n", row.reason));
  return text;
}

std::string differential_markdown(const std::vector<Differing>& all) {
  std::string text = "\n## What they do\n\n```\n";
  for (const Differing& one : all) text += differing_text(one);
  return text + "```\n";
}

nlohmann::ordered_json differential_json(const std::vector<Differing>& all) {
  nlohmann::ordered_json json{{"same", std::ranges::count(all, "the same", word)}, {"others", nlohmann::ordered_json::array()}};
  for (const Differing& one : all) {
    if (word(one) == "the same") continue;
    nlohmann::ordered_json each{{"case", one.id}, {"first", one.first}, {"candidate", one.candidate}};
    if (!one.left_out.empty()) each["not_compared"] = one.left_out;
    for (const Disagreement& row : one.rows)
      each["differs"].push_back(
          {{"aspect", row.aspect}, {"place", row.place}, {"first", row.one}, {"candidate", row.other}, {"known", row.reason}});
    json["others"].push_back(std::move(each));
  }
  return json;
}

}  // namespace reloadlab::sim
