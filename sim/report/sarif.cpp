#include "sim/report/sarif.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sim/report/verdict_text.h"

namespace reloadlab::sim {
namespace {

using Json = nlohmann::ordered_json;

std::string result_message(const CaseResult& one, const LawResult& law) {
  std::string text =
      fmt::format("{}, {}\n{}", one.candidate, one.id(), law.finding || law.reason.empty() ? finding_text(law) : law.reason + "\n");
  if (law.state == State::unexpected_pass) text += unexpected_pass_text(law) + "\n";
  text.pop_back();
  return text;
}

bool is_suppressed(State state) { return state == State::known || state == State::quarantined; }

std::string justification(const LawResult& law) {
  return fmt::format("{}{}{}", law.rule, law.rule.empty() || law.reason.empty() ? "" : ": ", law.reason);
}

std::string_view level_of(State state) {
  if (is_suppressed(state)) return "note";
  return state == State::flaky || state == State::inconclusive ? "warning" : "error";
}

Json location(const CaseResult& one, const LawResult& law) {
  const Position at = law.at.value_or(Position());
  return {
      {"physicalLocation", {{"artifactLocation", {{"uri", one.file}}}, {"region", {{"startLine", at.line}, {"startColumn", at.column}}}}}};
}

Json result_of(const CaseResult& one, const LawResult& law) {
  const std::string place = law.finding ? fmt::format("/{}/{}/{}", law.finding->execution, law.finding->step, law.finding->tensor) : "";
  Json json{{"ruleId", law.law},
            {"level", level_of(law.state)},
            {"message", {{"text", result_message(one, law)}}},
            {"locations", Json::array({location(one, law)})},
            {"partialFingerprints", {{"evidence/v1", fmt::format("{}/{}/{}{}", one.candidate, one.id(), law.law, place)}}}};
  if (is_suppressed(law.state)) json["suppressions"] = Json::array({{{"kind", "external"}, {"justification", justification(law)}}});
  return json;
}

Json notification(const CaseResult& one) {
  return {{"level", "error"},
          {"message", {{"text", fmt::format("{}, {}: {}: {}", one.candidate, one.id(), end_name(one.end), one.reason)}}}};
}

}  // namespace

std::string sarif_text(const RunResult& run) {
  Json rules = Json::array(), results = Json::array(), notifications = Json::array();
  for (const LawText& law : run.laws) rules.push_back({{"id", law.id}, {"shortDescription", {{"text", law.sentence}}}});
  bool went_well = true;
  for (const CaseResult& one : run.cases) {
    for (const LawResult& law : one.laws)
      if (needs_attention(law.state) || is_suppressed(law.state)) results.push_back(result_of(one, law));
    if (one.end != End::defect && one.end != End::bad_data) continue;
    went_well = went_well && one.end != End::defect;
    notifications.push_back(notification(one));
  }
  const Json json{
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs",
       Json::array({{{"tool", {{"driver", {{"name", "reloadlab"}, {"rules", rules}}}}},
                     {"invocations", Json::array({{{"executionSuccessful", went_well}, {"toolExecutionNotifications", notifications}}})},
                     {"results", results}}})}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace reloadlab::sim
