#include "sim/compare/compare.h"

#include <algorithm>
#include <set>

namespace reloadlab::sim {
namespace {

// What only has shapes may be too large for worlds that have bytes.
bool can_be_in_both(const Case& one, const WorldKind (&worlds)[2]) {
  return one.world != WorldKind::meta || (worlds[0] == WorldKind::meta && worlds[1] == WorldKind::meta);
}

Case in_world(Case one, WorldKind world) {
  one.world = world;
  return one;
}

// Without the world it is for, which comes first where a scenario has several.
Case of_any_world(Case one) {
  if (one.variant.starts_with("world=")) one.variant.erase(0, std::min(one.variant.find(','), one.variant.size() - 1) + 1);
  return one;
}

// One for each id: a scenario's cases for several worlds are the same case here.
std::vector<Case> comparable(const std::vector<Case>& cases, const WorldKind (&worlds)[2]) {
  std::vector<Case> all;
  std::set<std::string> known;
  for (const Case& each : cases)
    if (Case one = of_any_world(each); can_be_in_both(one, worlds) && known.insert(one.id()).second) all.push_back(std::move(one));
  return all;
}

Result<Evidence> played(const Job& job, WorldKind world, const CompareOptions& options, const Engine& engine) {
  const Case here = in_world(job.the_case, world);
  if (const std::string lacking = engine.lacks(here); !lacking.empty()) return Status(Code::unsupported, lacking);
  EngineOptions how{.timed = true};
  if (world == WorldKind::sim || world == WorldKind::meta) how.rates = options.rates;
  return engine.replay(here, job.candidate, how);
}

Compared compared(const Job& job, const CompareOptions& options, const Engine& engine) {
  Compared one{.id = job.the_case.id(), .candidate = job.candidate, .left_out = {}, .rows = {}};
  std::vector<Evidence> both;
  for (const WorldKind world : options.worlds) {
    Result<Evidence> evidence = played(job, world, options, engine);
    if (evidence.ok()) {
      both.push_back(*std::move(evidence));
      continue;
    }
    const std::string why = std::string(world_name(world)) + ": " + evidence.status().message();
    if (evidence.status().code() == Code::unsupported)
      one.left_out = why;
    else
      one.rows = {{Row::State::differs, "run", why}};
    return one;
  }
  one.rows = hold_against(both[0], both[1]);
  return one;
}

}  // namespace

bool differs(const Compared& one) {
  return std::ranges::any_of(one.rows, [](const Row& row) { return row.state == Row::State::differs; });
}

Status compare_worlds(const CompareOptions& options, const Engine& engine, const std::function<void(const Compared&)>& tell) {
  RELOADLAB_ASSIGN(const Selected selected, select_cases(options.selection, engine));
  RELOADLAB_ASSIGN(const std::vector<Job> jobs, select_jobs(options.selection, comparable(selected.cases, options.worlds), engine));
  for (const Job& job : jobs) tell(compared(job, options, engine));
  return {};
}

}  // namespace reloadlab::sim
