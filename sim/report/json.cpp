#include "sim/report/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "reference/base/read_file.h"

namespace reloadlab::sim {
namespace {

using Json = nlohmann::ordered_json;

// Absent and empty are the same thing in a result, and what is empty is not written.
void put_text(Json& json, const char* key, const std::string& text) {
  if (!text.empty()) json[key] = text;
}
std::string take(const Json& json, const char* key) { return json.value(key, std::string()); }

Json finding_to_json(const Finding& finding) {
  Json json{{"execution", finding.execution}, {"rank", finding.rank}, {"step", finding.step}};
  put_text(json, "tensor", finding.tensor);
  put_text(json, "what", finding.what);
  put_text(json, "first", finding.first);
  put_text(json, "why", finding.why);
  return json;
}

Finding finding_from_json(const Json& json, const std::string& law) {
  return {.law = law,
          .execution = take(json, "execution"),
          .rank = json.at("rank").get<int>(),
          .step = json.at("step").get<int>(),
          .tensor = take(json, "tensor"),
          .what = take(json, "what"),
          .first = take(json, "first"),
          .why = take(json, "why")};
}

Json law_to_json(const LawResult& law) {
  Json json{{"law", law.law}, {"state", std::string(state_name(law.state))}, {"checks", law.checks}};
  put_text(json, "reason", law.reason);
  put_text(json, "rule", law.rule);
  if (law.finding) json["finding"] = finding_to_json(*law.finding);
  put_text(json, "step_text", law.step_text);
  if (law.at) json["at"] = {law.at->line, law.at->column};
  for (const RankTail& tail : law.tail) json["tail"].push_back({{"rank", tail.rank}, {"events", tail.events}});
  return json;
}

LawResult law_from_json(const Json& json) {
  LawResult law{.law = json.at("law").get<std::string>()};
  const auto state = state_from_name(json.at("state").get<std::string>());
  if (!state) throw std::invalid_argument("unknown state");
  law.state = *state;
  law.checks = json.at("checks").get<int64_t>();
  law.reason = take(json, "reason");
  law.rule = take(json, "rule");
  if (json.contains("finding")) law.finding = finding_from_json(json["finding"], law.law);
  law.step_text = take(json, "step_text");
  if (json.contains("at")) law.at = Position{json["at"].at(0).get<int>(), json["at"].at(1).get<int>()};
  if (json.contains("tail"))
    for (const Json& tail : json["tail"])
      law.tail.push_back({tail.at("rank").get<int>(), tail.at("events").get<std::vector<std::string>>()});
  return law;
}

Json costs_to_json(const Costs& costs) {
  Json json;
  for (const Counter& counter : kCounters) json[std::string(counter.key)] = costs.*counter.value;
  return json;
}

Costs costs_from_json(const Json& json) {
  Costs costs;
  for (const Counter& counter : kCounters) costs.*counter.value = json.at(std::string(counter.key)).get<int64_t>();
  return costs;
}

Json baseline_to_json(const BaselineReport& report) {
  return {{"file", report.file},     {"stands_for", report.stands_for}, {"compared", report.compared},  {"worse", report.worse},
          {"better", report.better}, {"only_there", report.only_there}, {"only_here", report.only_here}};
}

BaselineReport baseline_from_json(const Json& json) {
  return {json.at("file").get<std::string>(),
          json.at("stands_for").get<std::map<std::string, std::string>>(),
          json.at("compared").get<int64_t>(),
          json.at("worse").get<int64_t>(),
          json.at("better").get<int64_t>(),
          json.at("only_there").get<std::vector<std::string>>(),
          json.at("only_here").get<std::vector<std::string>>()};
}

CaseResult parse_case(const Json& json) {
  CaseResult one{.scenario = json.at("scenario").get<std::string>(),
                 .variant = take(json, "variant"),
                 .file = take(json, "file"),
                 .system = take(json, "system"),
                 .candidate = json.at("candidate").get<std::string>(),
                 .world = take(json, "world"),
                 .ranks = json.at("ranks").get<int>(),
                 .tags = json.at("tags").get<std::vector<std::string>>()};
  const auto end = end_from_name(json.at("end").get<std::string>());
  if (!end) throw std::invalid_argument("unknown end");
  one.end = *end;
  one.reason = take(json, "reason");
  for (const Json& law : json.at("laws")) one.laws.push_back(law_from_json(law));
  one.notes = json.value("notes", std::vector<std::string>());
  if (json.contains("costs")) one.costs = costs_from_json(json["costs"]);
  one.probes = json.value("probes", std::vector<std::string>());
  one.failing = take(json, "failing");
  return one;
}

Json summary(const RunResult& result) {
  Json json{{"exit_code", static_cast<int>(exit_code(result))}, {"cases", result.cases.size()}};
  for (const auto& [end, count] : count_ends(result)) json["ends"][std::string(end_name(end))] = count;
  for (const auto& [state, count] : count_states(result)) json["verdicts"][std::string(state_name(state))] = count;
  return json;
}

Json run_to_json(const RunResult& result) {
  Json json{{"started", result.run.started}, {"seconds", result.run.seconds}, {"host", result.run.host},      {"folder", result.run.folder},
            {"jobs", result.run.jobs},       {"program", result.run.program}, {"case_seconds", Json::array()}};
  put_text(json, "options", result.run.options);
  put_text(json, "shard", result.run.shard);
  if (!result.run.left_on_gpus.empty()) json["left_on_gpus"] = result.run.left_on_gpus;
  for (const CaseResult& one : result.cases) json["case_seconds"].push_back(one.seconds);
  return json;
}

RunResult parse_all(const Json& json) {
  RunResult result{.name = take(json, "name"), .seed = json.at("seed").get<uint64_t>()};
  for (const Json& law : json.at("laws")) result.laws.push_back({law.at("id").get<std::string>(), law.at("sentence").get<std::string>()});
  if (!json.at("results").is_array()) throw std::invalid_argument("results is no list");
  for (const Json& one : json["results"]) result.cases.push_back(parse_case(one));
  if (json.contains("baseline")) result.baseline = baseline_from_json(json["baseline"]);
  const Json& run = json.at("run");
  result.run = {take(run, "started"),
                run.value("seconds", 0.0),
                take(run, "host"),
                take(run, "folder"),
                run.value("jobs", 1),
                run.value("program", "reloadlab"),
                run.value("left_on_gpus", std::vector<int64_t>()),
                take(run, "shard"),
                take(run, "options")};
  const auto seconds = run.value("case_seconds", std::vector<double>());
  for (size_t i = 0; i < result.cases.size() && i < seconds.size(); ++i) result.cases[i].seconds = seconds[i];
  return result;
}

}  // namespace

Json result_to_json(const CaseResult& one) {
  Json json{{"case", one.id()}, {"scenario", one.scenario}};
  put_text(json, "variant", one.variant);
  put_text(json, "file", one.file);
  put_text(json, "system", one.system);
  json["candidate"] = one.candidate;
  put_text(json, "world", one.world);
  json["ranks"] = one.ranks;
  json["tags"] = one.tags;
  json["end"] = std::string(end_name(one.end));
  put_text(json, "reason", one.reason);
  json["laws"] = Json::array();
  for (const LawResult& law : one.laws) json["laws"].push_back(law_to_json(law));
  if (!one.notes.empty()) json["notes"] = one.notes;
  if (one.costs) json["costs"] = costs_to_json(*one.costs);
  if (!one.probes.empty()) json["probes"] = one.probes;
  put_text(json, "failing", one.failing);
  return json;
}

Result<CaseResult> result_from_json(const Json& json) {
  try {
    return parse_case(json);
  } catch (const std::exception& error) {
    return Status(Code::data, fmt::format("not a case of result schema {}: {}", kResultSchema, error.what()));
  }
}

std::string result_json(const RunResult& result) {
  Json json{{"reloadlab", kResultSchema}, {"kind", "result"}, {"name", result.name}, {"seed", result.seed}};
  json["summary"] = summary(result);
  json["laws"] = Json::array();
  for (const LawText& law : result.laws) json["laws"].push_back({{"id", law.id}, {"sentence", law.sentence}});
  json["results"] = Json::array();
  for (const CaseResult& one : result.cases) json["results"].push_back(result_to_json(one));
  if (result.baseline) json["baseline"] = baseline_to_json(*result.baseline);
  json["run"] = run_to_json(result);
  // A candidate's own message may hold any bytes: what is no UTF-8 is replaced.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<RunResult> parse_result(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (take(json, "kind") != "result") return Status(Code::data, fmt::format("not a result of schema {}", kResultSchema));
    if (const int schema = json.value("reloadlab", 0); schema != kResultSchema)
      return Status(Code::data, fmt::format("a result of schema {}; this program writes and reads schema {}", schema, kResultSchema));
    return parse_all(json);
  } catch (const std::exception& error) {
    return Status(Code::data, fmt::format("not a result of schema {}: {}", kResultSchema, error.what()));
  }
}

Result<RunResult> read_result(const std::filesystem::path& path) {
  std::error_code none;
  const auto file = std::filesystem::is_directory(path, none) ? path / "result.json" : path;
  RELOADLAB_ASSIGN(const std::string text, read_file(file));
  auto result = parse_result(text);
  return result.ok() ? std::move(result) : Result<RunResult>(result.status().within(file.string()));
}

}  // namespace reloadlab::sim
