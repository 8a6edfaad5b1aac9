#include "sim/report/baseline.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "reference/base/nearest.h"
#include "sim/report/json.h"
#include "sim/report/text.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

using Renaming = std::pair<const std::string, std::string>;

Status check_name(std::string_view side, const std::string& name, const std::set<std::string>& names) {
  if (names.contains(name)) return {};
  return Status(Code::usage, fmt::format("--baseline-candidate: no candidate {} is called \"{}\", expected one of {}{}", side, name,
                                         fmt::join(names, ", "), did_you_mean(name, names)));
}

std::string told(const CaseResult& one, const std::string& candidate) { return candidate + " " + one.id(); }

// A case that failed is a scenario of its own in its run's folder, under another id: what is run again from there is the same case.
std::string lasting_id(const CaseResult& one) {
  Case same;
  same.scenario = one.scenario, same.variant = one.variant;
  return alone(std::move(same)).scenario;
}

bool on_real_devices(const CaseResult& one) { return one.world == world_name(WorldKind::cuda); }

}  // namespace

Result<Baseline> Baseline::open(const BaselineOptions& options, uint64_t seed, std::span<const std::string> candidates_here) {
  auto read = read_result(options.file);
  if (!read.ok()) return read.status().within("--baseline");
  if (read->seed != seed)
    return Status(Code::data, fmt::format("--baseline: {}: made with --seed {}, this run has {}: what seeds draw costs otherwise",
                                          options.file.string(), read->seed, seed));
  Baseline baseline;
  std::set<std::string> names;
  for (const CaseResult& one : read->cases) names.insert(one.candidate);
  for (const auto& [there, here] : options.stands_for) {
    RELOADLAB_TRY(check_name("there", there, names));
    RELOADLAB_TRY(check_name("here", here, {candidates_here.begin(), candidates_here.end()}));
  }
  baseline.report_.file = options.file.string();
  baseline.report_.stands_for = options.stands_for;
  for (CaseResult& one : read->cases) {
    const auto renamed = options.stands_for.find(one.candidate);
    const bool hidden = renamed == options.stands_for.end() && std::ranges::count(options.stands_for, one.candidate, &Renaming::second) > 0;
    if (hidden) continue;  // another one stands for it
    const std::string& name = renamed == options.stands_for.end() ? one.candidate : renamed->second;
    baseline.there_.insert_or_assign({name, lasting_id(one), one.world}, std::move(one));
  }
  return baseline;
}

void Baseline::compare(const Costs& before, CaseResult& one, LawResult& law) {
  std::vector<std::string> worse;
  bool better = false;
  for (const Counter& counter : kCounters) {
    const int64_t then = before.*counter.value, now = (*one.costs).*counter.value;
    const std::string words = fmt::format("{}: {} before, {} now", counter.words, grouped(then), grouped(now));
    if (now > then) worse.push_back(words);
    if (now < then) one.notes.push_back("better than the baseline: " + words), better = true;
  }
  ++report_.compared;
  report_.worse += !worse.empty();
  report_.better += better;
  law.checks = std::size(kCounters);
  if (worse.empty()) return;
  law.state = State::fail;
  law.reason = fmt::format("{}", fmt::join(worse, "; "));
}

void Baseline::judge(CaseResult& one) {
  if (!one.costs) return;
  LawResult law{.law = std::string(kWithinBaseline), .state = State::unsupported};
  const auto found = there_.find({one.candidate, lasting_id(one), one.world});
  if (found != there_.end()) met_[found->first] = true;
  if (on_real_devices(one)) {
    law.reason = "counters of real devices may differ from run to run";
  } else if (found == there_.end()) {
    law.reason = "the baseline has no such case";
    report_.only_here.push_back(told(one, one.candidate));
  } else if (!found->second.costs) {
    law.reason = fmt::format("the case has no counters in the baseline: {}",
                             found->second.reason.empty() ? "its candidate did not come back" : found->second.reason);
  } else {
    law.state = State::pass;
    compare(*found->second.costs, one, law);
  }
  one.laws.push_back(std::move(law));
}

BaselineReport Baseline::report(bool whole) const {
  BaselineReport report = report_;
  for (const auto& [key, one] : there_)
    if (whole && one.costs && !met_.contains(key) && !on_real_devices(one)) report.only_there.push_back(told(one, one.candidate));
  return report;
}

}  // namespace reloadlab::sim
