#include "sim/fuzz/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/fuzz/generate.h"
#include "sim/law/probes.h"
#include "sim/report/text.h"

namespace reloadlab::sim::fuzz {

void Summary::add(const Summary& other) {
  cases += other.cases, judged += other.judged, failing += other.failing, inconclusive += other.inconclusive;
  hanging += other.hanging;
  skipped += other.skipped;
  if (why_skipped.empty()) why_skipped = other.why_skipped;
  if (system.empty()) system = other.system;
  seconds = std::max(seconds, other.seconds);
  shapes.insert(other.shapes.begin(), other.shapes.end());
  probes.insert(other.probes.begin(), other.probes.end());
  for (const auto& [cause, seen] : other.causes) {
    Seen& mine = causes[cause];
    mine.count += seen.count;
    if (mine.token.empty() || (!seen.token.empty() && std::pair(seen.token.size(), seen.token) < std::pair(mine.token.size(), mine.token)))
      mine.token = seen.token;
  }
  if (defect.empty()) defect = other.defect;
}

Summary summary_of(const Hunted& hunted, const std::string& system) {
  Summary summary = summary_of(hunted.progress, hunted.found);
  summary.system = system;
  summary.defect = hunted.defect;
  return summary;
}

Summary summary_of(const Progressed& progress, const std::map<Cause, Found>& found) {
  Summary summary{.cases = progress.cases,
                  .judged = progress.judged,
                  .failing = progress.failing,
                  .skipped = progress.skipped,
                  .hanging = progress.hanging,
                  .inconclusive = progress.inconclusive,
                  .why_skipped = progress.why_skipped,
                  .seconds = progress.seconds,
                  .shapes = progress.shapes,
                  .probes = progress.probes};
  for (const auto& [cause, one] : found) summary.causes[cause] = {one.count, one.token.answers.empty() ? "" : write_token(one.token)};
  return summary;
}

nlohmann::ordered_json to_json(const Summary& summary) {
  nlohmann::ordered_json json{{"fuzz", 1},
                              {"system", summary.system},
                              {"cases", summary.cases},
                              {"judged", summary.judged},
                              {"failing", summary.failing},
                              {"hanging", summary.hanging},
                              {"inconclusive", summary.inconclusive},
                              {"skipped", summary.skipped},
                              {"why_skipped", summary.why_skipped},
                              {"shapes", summary.shapes},
                              {"probes", summary.probes},
                              {"causes", nlohmann::ordered_json::array()},
                              {"defect", summary.defect},
                              {"time", {{"seconds", summary.seconds}}}};
  for (const auto& [cause, seen] : summary.causes)
    json["causes"].push_back({{"law", cause.law},
                              {"execution", cause.execution},
                              {"step", cause.step},
                              {"tensor", cause.tensor},
                              {"count", seen.count},
                              {"token", seen.token}});
  return json;
}

Result<Summary> summary_from(std::string_view text) try {
  const auto json = nlohmann::json::parse(text);
  if (json.at("fuzz").get<int>() != 1) return Status(Code::data, "a summary of another version, expected 1");
  Summary summary{.system = json.at("system").get<std::string>(),
                  .cases = json.at("cases").get<int64_t>(),
                  .judged = json.at("judged").get<int64_t>(),
                  .failing = json.at("failing").get<int64_t>(),
                  .skipped = json.at("skipped").get<int64_t>(),
                  .hanging = json.at("hanging").get<int64_t>(),
                  .inconclusive = json.at("inconclusive").get<int64_t>(),
                  .why_skipped = json.at("why_skipped").get<std::string>(),
                  .seconds = json.at("time").at("seconds").get<double>(),
                  .shapes = json.at("shapes").get<std::set<uint64_t>>(),
                  .probes = json.at("probes").get<std::set<std::string>>(),
                  .defect = json.at("defect").get<std::string>()};
  const auto word = [](const nlohmann::json& one, const char* key) { return one.at(key).get<std::string>(); };
  for (const auto& one : json.at("causes"))
    summary.causes[{word(one, "law"), word(one, "execution"), word(one, "step"), word(one, "tensor")}] = {one.at("count").get<int64_t>(),
                                                                                                          word(one, "token")};
  if (!summary.system.empty() && std::ranges::count(drawn_systems(), summary.system) == 0)
    return Status(Code::data, fmt::format("a summary of system \"{}\", for which no cases are drawn", summary.system));
  if (std::min({summary.cases, summary.judged, summary.failing, summary.skipped, summary.hanging, summary.inconclusive}) < 0)
    return Status(Code::data, "a summary of fewer than no cases");
  return summary;
} catch (const nlohmann::json::exception& error) {
  return Status(Code::data, fmt::format("no summary of a campaign: {}", error.what()));
}

std::vector<std::string_view> probes_missed(const Summary& summary) {
  std::vector<std::string_view> missed = probes_of_drawn(summary.system);
  std::erase_if(missed, [&](std::string_view probe) { return summary.probes.contains(std::string(probe)); });
  return missed;
}

std::string summary_text(const Summary& summary) {
  std::string text;
  for (const auto& [cause, seen] : summary.causes) text += fmt::format("{:>8}  {}\n", grouped(seen.count), fuzz::text(cause));
  if (summary.skipped > 0) text += fmt::format("{} not played: {}\n", plural(summary.skipped, "case"), summary.why_skipped);
  if (summary.inconclusive > 0)
    text += fmt::format("{}: a law had nothing to check there\n", plural(summary.inconclusive, "inconclusive verdict"));
  if (!summary.defect.empty()) text += fmt::format("a defect in reloadlab itself: {}\n", summary.defect);
  return text + fmt::format("{}, {:.0f}/s, {}, {} failing, {}, {} of {} probes\n", plural(summary.cases, "case"),
                            static_cast<double>(summary.cases) / std::max(summary.seconds, 1e-3),
                            plural(static_cast<int64_t>(summary.shapes.size()), "shape"), grouped(summary.failing),
                            plural(static_cast<int64_t>(summary.causes.size()), "cause"), summary.probes.size(),
                            probes_of_drawn(summary.system).size());
}

}  // namespace reloadlab::sim::fuzz
