#include "sim/campaign/select.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "reference/base/nearest.h"
#include "reference/base/prng.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

// One case in so many is run twice to prove that its seed decides everything; which ones depends on nothing but their names.
constexpr uint64_t kProveOneIn = 16;

std::string cache_dir() {
  if (const char* cache = std::getenv("RELOADLAB_CACHE")) return cache;
  const char* home = std::getenv("HOME");
  return std::string(home ? home : "") + "/.cache/reloadlab";
}

bool matches(const std::string& glob, const Case& one) {
  // Brackets of a case id are no character class: "x[ranks=2]" means itself.
  return glob == one.id() || ::fnmatch(glob.c_str(), one.scenario.c_str(), 0) == 0 || ::fnmatch(glob.c_str(), one.id().c_str(), 0) == 0;
}

template <class Wanted, class Fits>
bool any_or_none(const std::vector<Wanted>& wanted, Fits fits) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), fits);
}

bool selected(const Selection& selection, const Case& one) {
  return (!selection.world || one.world == *selection.world) && (!selection.ranks || one.ranks == *selection.ranks) &&
         any_or_none(selection.tags,
                     [&](const std::string& tag) { return std::find(one.tags.begin(), one.tags.end(), tag) != one.tags.end(); }) &&
         any_or_none(selection.names, [&](const std::string& glob) { return matches(glob, one); });
}

Status check_words(std::string_view noun, const std::vector<std::string>& words, const std::set<std::string>& allowed) {
  for (const std::string& word : words)
    if (!allowed.contains(word))
      return Status(Code::usage, fmt::format("no {} is called \"{}\"{}", noun, word, did_you_mean(word, allowed)));
  return {};
}

// The laws that the user asked for, of those that the case has; false when none is left.
bool narrow(const Selection& selection, Case& one) {
  if (selection.laws.empty()) return true;
  if (one.laws.empty())
    one.laws = selection.laws;
  else
    std::erase_if(one.laws, [&](const std::string& law) {
      return std::find(selection.laws.begin(), selection.laws.end(), law) == selection.laws.end();
    });
  return !one.laws.empty();
}

// What has bytes is played on devices that are as real or more.
bool replaces(WorldKind on, WorldKind world) {
  return on == world || world == WorldKind::cpu || (world == WorldKind::sim && on == WorldKind::cuda);
}

// Scenarios that have cases of their own for the world; their cases for others would be the same again.
std::set<std::string> native(WorldKind on, const std::vector<Case>& cases) {
  std::set<std::string> scenarios;
  for (const Case& one : cases)
    if (one.world == on) scenarios.insert(one.scenario);
  return scenarios;
}

// Whether every case for `world` is of a scenario that has cases of its own for `on`.
bool native_alone(WorldKind on, WorldKind world, const std::vector<Case>& cases) {
  const std::set<std::string> own = native(on, cases);
  return std::ranges::all_of(cases, [&](const Case& one) { return one.world != world || own.contains(one.scenario); });
}

Status check_names(const Selection& selection, const std::vector<Case>& cases) {
  std::set<std::string> tags, names;
  for (const Case& one : cases) {
    tags.insert(one.tags.begin(), one.tags.end());
    names.insert(one.scenario);
  }
  RELOADLAB_TRY(check_words("tag here", selection.tags, tags));
  for (const std::string& glob : selection.names)
    if (std::none_of(cases.begin(), cases.end(), [&](const Case& one) { return matches(glob, one); }))
      return Status(Code::usage, fmt::format("no scenario here is called \"{}\"{}", glob, did_you_mean(glob, names)));
  return {};
}

void keep_shard(const Shard& shard, Selected& selected) {
  selected.sharded = selected.cases.size();
  std::vector<Case> own;
  for (size_t i = static_cast<size_t>(shard.index); i < selected.cases.size(); i += static_cast<size_t>(shard.count))
    own.push_back(std::move(selected.cases[i]));
  selected.cases = std::move(own);
}

// Others would be what they are without delays, and those with delays of their own are in the run without any.
bool can_be_delayed(const Case& one) { return one.world == WorldKind::cuda && one.order_counts() && !one.delays; }

}  // namespace

Result<Selected> select_cases(const Selection& selection, const Engine& engine) {
  const std::vector<std::string> law_ids = engine.law_ids();
  RELOADLAB_TRY(check_words("law", selection.laws, {law_ids.begin(), law_ids.end()}));
  RELOADLAB_ASSIGN(const auto files, find_scenarios(selection.paths));
  const ParseOptions options{.seed = selection.seed, .known_laws = law_ids, .cache_dir = cache_dir()};
  Selected selected_cases;
  std::string errors;
  for (const auto& file : files) {
    auto cases = read_scenario(file, options);
    if (!cases.ok()) {
      errors += (errors.empty() ? "" : "\n") + cases.status().message();
      continue;
    }
    for (Case& one : *cases) selected_cases.all.push_back(std::move(one));
  }
  if (!errors.empty()) return Status(Code::data, errors);
  RELOADLAB_TRY(check_names_unique(selected_cases.all));
  RELOADLAB_TRY(check_names(selection, selected_cases.all));
  const std::set<std::string> own = selection.on ? native(*selection.on, selected_cases.all) : std::set<std::string>();
  for (Case one : selected_cases.all) {
    if (!selected(selection, one) || !narrow(selection, one)) continue;
    if (selection.on && (own.contains(one.scenario) ? one.world != *selection.on : !replaces(*selection.on, one.world))) continue;
    one.world = selection.on.value_or(one.world);
    if (selection.delays && !can_be_delayed(one)) continue;
    if (selection.delays) one.delays = selection.delays;
    selected_cases.cases.push_back(std::move(one));
  }
  if (selection.shard) keep_shard(*selection.shard, selected_cases);
  return selected_cases;
}

std::string why_no_case(const Selection& selection, const Selected& selected_cases) {
  const std::vector<Case>& all = selected_cases.all;
  if (selection.shard && selected_cases.sharded > 0)
    return fmt::format("shard {} of {} has none of {} cases", selection.shard->index + 1, selection.shard->count, selected_cases.sharded);
  std::set<std::string_view> worlds, systems;
  std::set<int> ranks;
  for (const Case& one : all) worlds.insert(world_name(one.world)), systems.insert(one.system), ranks.insert(one.ranks);
  const std::string there = fmt::format("{} {} here", all.size(), all.size() == 1 ? "case" : "cases");
  if (all.empty()) return "there is no scenario file here";
  if (selection.world && !worlds.contains(world_name(*selection.world)))
    return fmt::format("no case is for world {}; the {} are for {}", world_name(*selection.world), there, fmt::join(worlds, ", "));
  if (selection.on && selection.world && selection.on != selection.world && native_alone(*selection.on, *selection.world, all))
    return fmt::format("the cases for world {} are not played on {}: their scenarios have others for {}", world_name(*selection.world),
                       world_name(*selection.on), world_name(*selection.on));
  if (selection.ranks && !ranks.contains(*selection.ranks))
    return fmt::format("no case has {} ranks; the {} have {}", *selection.ranks, there, fmt::join(ranks, ", "));
  if (selection.on && std::none_of(all.begin(), all.end(), [&](const Case& one) { return replaces(*selection.on, one.world); }))
    return fmt::format("no case can be played on {}; the {} are for {}", world_name(*selection.on), there, fmt::join(worlds, ", "));
  if (selection.delays && std::none_of(all.begin(), all.end(), [&](const Case& one) { return one.order_counts(); }))
    return fmt::format("order counts in no case, so that delays would change nothing; there are {}", there);
  if (selection.delays && std::all_of(all.begin(), all.end(), [](const Case& one) { return one.delays || !one.order_counts(); }))
    return fmt::format("where order counts, cases have delays of their own; there are {}", there);
  if (selection.delays && selection.on != WorldKind::cuda)
    return fmt::format("no case that order counts in is played on cuda, where delays are; the {} are for {}", there,
                       fmt::join(worlds, ", "));
  if (std::any_of(all.begin(), all.end(), [&](Case one) { return selected(selection, one) && narrow(selection, one); }))
    return fmt::format("no case is for {}; the {} are of system {}",
                       selection.candidates.empty() ? "a candidate of this program" : fmt::to_string(fmt::join(selection.candidates, ", ")),
                       there, fmt::join(systems, ", "));
  return fmt::format("no case fits all that is asked for; `reloadlab list` shows the {}", there);
}

Result<std::vector<Job>> select_jobs(const Selection& selection, const std::vector<Case>& cases, const Engine& engine) {
  std::vector<EngineCandidate> named;
  for (const std::string& spelling : selection.candidates) {
    RELOADLAB_ASSIGN(EngineCandidate candidate, engine.candidate(spelling));
    if (std::any_of(named.begin(), named.end(), [&](const EngineCandidate& other) { return other.name == candidate.name; }))
      return Status(Code::usage, fmt::format("--candidate {} is given twice", candidate.name));
    named.push_back(std::move(candidate));
  }
  std::map<std::string, std::vector<std::string>> by_system;
  std::vector<Job> jobs;
  for (const Case& one : cases) {
    auto& names = by_system.try_emplace(one.system).first->second;
    if (names.empty() && named.empty()) names = engine.default_candidates(one.system);
    if (names.empty())
      for (const EngineCandidate& candidate : named)
        if (candidate.system == one.system) names.push_back(candidate.name);
    for (const std::string& name : names) {
      // Shapes alone are large, and what could differ from run to run shows where there are bytes.
      const bool prove = one.world != WorldKind::meta && mix64(hash_name(one.id()) ^ hash_name(name)) % kProveOneIn == 0;
      jobs.push_back({one, name, prove});
    }
  }
  return jobs;
}

}  // namespace reloadlab::sim
