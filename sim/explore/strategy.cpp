#include "sim/explore/strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/explore/stopwatch.h"

namespace reloadlab::sim::explore {
namespace {

using modelled::ChoiceKind;
using modelled::Chooser;
using Kind = Strategy::Kind;

// An access by whom it was, which no schedule changes.
using Who = std::pair<ActorId, uint32_t>;
std::pair<Who, Who> pair_of(const Race& race) {
  auto who = [](const AccessSite& site) { return Who(site.actor, site.tick); };
  return std::minmax(who(race.first), who(race.second));
}

class Collector {
 public:
  void add(const Execution& run) {
    auto [place, fresh] = places_.try_emplace({run.outcome.verdict, run.outcome.state}, seen_.endings.size());
    if (fresh) seen_.endings.push_back({0, run.outcome.verdict, run.outcome.state, stored(run), preemptions(run)});
    ++seen_.endings[place->second].runs;
    for (const Race& race : run.outcome.races)
      if (races_.insert(pair_of(race)).second) seen_.races.push_back({race, run});
  }
  Exploration take(Coverage coverage) {
    seen_.coverage = std::move(coverage);
    return std::move(seen_);
  }

 private:
  std::map<std::pair<std::string, std::string>, size_t> places_;
  std::set<std::pair<Who, Who>> races_;
  Exploration seen_;
};

uint64_t mark_of(const Execution& run) {
  Trace trace;
  for (const modelled::Turn& turn : run.turns) trace.push(turn, 0);
  uint64_t mark = trace.mark();
  for (const Decision& decision : run.decisions)
    if (decision.kind != ChoiceKind::next) mark = mix64(mark + decision.taken);
  return mark;
}

// Choosers one after the other.
Exploration sample(const Program& program, int64_t count, const Limits& limits,
                   const std::function<std::unique_ptr<Chooser>(int64_t)>& chooser) {
  const Stopwatch watch;
  Collector collector;
  Coverage coverage;
  for (int64_t i = 0; i < count; ++i) {
    if (coverage.executions >= limits.executions) coverage.limit = fmt::format("{} executions", limits.executions);
    if (coverage.seconds >= limits.seconds) coverage.limit = fmt::format("{:.3g} s", limits.seconds);
    coverage.cut_off = !coverage.limit.empty();
    if (coverage.cut_off) break;
    Execution run = run_with(program, chooser(i));
    ++coverage.executions;
    coverage.traces.insert(mark_of(run));
    collector.add(run);
    coverage.seconds = watch.seconds();
  }
  if (coverage.limit.empty()) coverage.limit = fmt::format("{} of an unknown number of schedules", count);
  return collector.take(std::move(coverage));
}

// Turns that are no choice count as well: in other schedules they may be one.
Chance chance_of(const Program& program, int depth) {
  const Execution run = run_with(program, modelled::round_robin());
  std::set<ActorId> actors;
  for (const modelled::Turn& turn : run.turns) actors.insert(turn.actor);
  return {static_cast<int64_t>(actors.size()), static_cast<int64_t>(run.turns.size()), depth};
}

Result<Exploration> replayed(const Program& program, const StoredSchedule& schedule) {
  RELOADLAB_ASSIGN(Execution run, replay_stored(program, schedule));
  Collector collector;
  collector.add(run);
  return collector.take(
      {.executions = 1, .traces = {mark_of(run)}, .seconds = 0, .exhausted = false, .cut_off = false, .limit = "one schedule"});
}

Exploration searched(const Program& program, bool reduced, const Limits& limits) {
  Collector collector;
  Coverage coverage = depth_first(program, {.reduced = reduced, .limits = limits}, [&](const Execution& run) {
    collector.add(run);
    return true;
  });
  return collector.take(std::move(coverage));
}

}  // namespace

const Ending* Exploration::failing() const {
  auto found = std::find_if(endings.begin(), endings.end(), [](const Ending& ending) { return !ending.verdict.empty(); });
  return found == endings.end() ? nullptr : &*found;
}

Result<Exploration> explore(const Program& program, const Strategy& strategy, const Limits& limits) {
  auto seed = [&](int64_t i) { return mix64(strategy.seed) + static_cast<uint64_t>(i); };
  switch (strategy.kind) {
    case Kind::exhaustive:
      return searched(program, true, limits);
    case Kind::unreduced:
      return searched(program, false, limits);
    case Kind::random:
      return sample(program, strategy.schedules, limits, [&](int64_t i) { return modelled::random_choices(seed(i)); });
    case Kind::pct: {
      const Chance chance = chance_of(program, strategy.depth);
      const auto chooser = [&](int64_t i) { return modelled::pct(seed(i), chance.depth, chance.steps); };
      Exploration seen = sample(program, strategy.schedules, limits, chooser);
      seen.chance = chance;
      return seen;
    }
    case Kind::round_robin:
      return sample(program, 1, limits, [](int64_t) { return modelled::round_robin(); });
    case Kind::timed:
      return sample(program, 1, limits, [](int64_t) { return modelled::timed(); });
    case Kind::replay:
      return replayed(program, strategy.schedule);
  }
  return Status(Code::usage, "no such strategy");
}

std::string told(const Coverage& coverage) {
  const auto counted = [](size_t count, std::string_view one) { return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s"); };
  const std::string end = coverage.exhausted ? "exhausted" : (coverage.cut_off ? "cut off after " : "not exhausted: ") + coverage.limit;
  return fmt::format("{}, {}, {} redundant, {:.1f} s, {}", counted(static_cast<size_t>(coverage.executions), "execution"),
                     counted(coverage.traces.size(), "trace"), coverage.redundant(), coverage.seconds, end);
}

double Chance::of_one() const {
  return 1 / (static_cast<double>(std::max<int64_t>(actors, 1)) * std::pow(static_cast<double>(std::max<int64_t>(steps, 1)), depth - 1));
}

std::string told(const Chance& chance, int64_t schedules) {
  const double all = -std::expm1(static_cast<double>(schedules) * std::log1p(-chance.of_one()));
  return fmt::format(
      "a schedule finds a bug of depth {} with probability 1/({} actors x {}^{} steps) = {:.2g} at least, {} of them with {:.2g}",
      chance.depth, chance.actors, chance.steps, chance.depth - 1, chance.of_one(), schedules, all);
}

}  // namespace reloadlab::sim::explore
