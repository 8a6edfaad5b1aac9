#include "sim/campaign/explore_case.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/explore/shrink.h"
#include "sim/explore/strategy.h"
#include "sim/explore/witness.h"
#include "sim/law/law.h"
#include "sim/replay/replay.h"
#include "sim/world/modelled/modelled_world.h"
#include "sim/world/modelled/watchdog.h"

namespace reloadlab::sim {
namespace {

constexpr size_t races_witnessed = 8;  // of one run; each costs a replay or two

// The case as a program: each run makes a world with the chooser that it is given, and plays the scenario's own execution there.
class CaseProgram {
 public:
  CaseProgram(const Case& the_case, const CandidateInfo& candidate, const Evidence& cold)
      : case_(the_case), candidate_(candidate), cold_(cold) {}

  explore::Outcome operator()(std::unique_ptr<modelled::Chooser> chooser) const {
    explore::Outcome outcome{.ranks = case_.ranks};
    ReplayOptions options{.cold = &cold_};
    options.make_world = [&](const WorldRequest& request) -> Result<std::unique_ptr<World>> {
      if (request.kind != WorldKind::sim) return make_world(request);
      return std::unique_ptr<World>(std::make_unique<modelled::ModelledWorld>(request, std::move(chooser)));
    };
    options.after_run = [&](World& world) { outcome.races = dynamic_cast<modelled::ModelledWorld&>(world).machine().races().races(); };
    const Result<Evidence> evidence = replay(case_, candidate_, options);
    TORCH_CHECK(evidence.ok(), evidence.status().message());
    outcome.verdict = verdict_of(*evidence);
    outcome.state = state_of(*evidence);
    return outcome;
  }

 private:
  // Races are told apart: they are there in every schedule, whatever it makes of them.
  static std::string verdict_of(const Evidence& evidence) {
    std::string text;
    for (const Verdict& verdict : judge(evidence)) {
      if (verdict.outcome != sim::Outcome::fail || verdict.law == "ring_happens_before") continue;
      const Finding& finding = *verdict.finding;
      text += fmt::format("{}{}: rank {}, step {}{}: {}", text.empty() ? "" : "\n", verdict.law, finding.rank, finding.step,
                          finding.tensor.empty() ? "" : ", " + finding.tensor, finding.what);
      if (!finding.first.empty()) text += "; " + finding.first;
    }
    return text;
  }
  static std::string state_of(const Evidence& evidence) {
    std::string text;
    const Execution* warm = evidence.find(Variation::Kind::warm);
    for (const RankRun& rank : warm->ranks) {
      for (const RankRun::Read& read : rank.reads) text += read.content ? fmt::format("{:x}.", read.content->fingerprint[0]) : "-.";
      text += ';';
    }
    return text;
  }

  const Case& case_;
  const CandidateInfo& candidate_;
  const Evidence& cold_;
};

Result<explore::Strategy> strategy_of(const ExploreOptions& options) {
  using Kind = explore::Strategy::Kind;
  using Way = ExploreOptions::Way;
  explore::Strategy strategy{.schedules = options.schedules, .depth = options.depth, .seed = options.seed};
  switch (options.way) {
    case Way::exhaustive:
      strategy.kind = Kind::exhaustive;
      break;
    case Way::unreduced:
      strategy.kind = Kind::unreduced;
      break;
    case Way::random:
      strategy.kind = Kind::random;
      break;
    case Way::pct:
      strategy.kind = Kind::pct;
      break;
    case Way::timed:
      strategy.kind = Kind::timed;
      break;
    case Way::replay:
      strategy.kind = Kind::replay;
      RELOADLAB_ASSIGN(strategy.schedule, explore::parse_schedule(options.schedule));
      break;
  }
  return strategy;
}

std::string site_text(const modelled::AccessSite& site, int ranks) {
  return fmt::format("{} on {} {}{}", site.operation, modelled::actor_name(site.actor, ranks), site.write ? "writes" : "reads",
                     site.label ? " (" + *site.label + ")" : "");
}

ExploreReport::Race told(const explore::Program& program, const explore::Exploration::FoundRace& found) {
  const modelled::Race& race = found.race;
  ExploreReport::Race told{
      .accesses = fmt::format("{} || {}", site_text(race.first, found.run.outcome.ranks), site_text(race.second, found.run.outcome.ranks)),
      .missing = explore::missing_edge(found.run, race)};
  if (const auto witness = explore::reverse_race(program, found.run, race)) {
    told.witness = witness->wrong_bytes ? "wrong bytes" : "benign";
    told.schedule = explore::print_schedule(explore::stored(witness->run));
  }
  return told;
}

Result<ExploreReport::Ending> told(const explore::Program& program, const explore::Ending& ending, const explore::Limits& limits,
                                   bool shrinks) {
  ExploreReport::Ending told{ending.runs, ending.verdict, explore::print_schedule(ending.schedule), ending.preemptions, false};
  if (ending.verdict.empty() || !shrinks) return told;
  RELOADLAB_ASSIGN(const explore::Execution run, explore::replay_stored(program, ending.schedule));
  const auto same = [&](const explore::Outcome& outcome) { return outcome.verdict == ending.verdict; };
  const explore::Shrunk shrunk = explore::shrink(program, run, same, limits);
  told.schedule = explore::print_schedule(explore::stored(shrunk.run));
  told.preemptions = shrunk.preemptions;
  told.fewest = shrunk.fewest;
  return told;
}

}  // namespace

Result<ExploreReport> explore_case(const Case& the_case, const CandidateInfo& candidate, const ExploreOptions& options) {
  if (the_case.series.empty() || the_case.world != WorldKind::sim)
    return Status(Code::usage, the_case.id() + ": only cases with series in the world sim have schedules to explore");
  RELOADLAB_ASSIGN(const explore::Strategy strategy, strategy_of(options));
  RELOADLAB_ASSIGN(const Evidence cold, replay(the_case, candidate, {}));
  const explore::Program program = CaseProgram(the_case, candidate, cold);
  const explore::Limits limits{.executions = options.most_executions, .seconds = options.most_seconds};
  RELOADLAB_ASSIGN(const explore::Exploration seen, explore::explore(program, strategy, limits));
  ExploreReport report{.covered = explore::told(seen.coverage), .exhausted = seen.coverage.exhausted};
  for (const explore::Ending& ending : seen.endings) {
    RELOADLAB_ASSIGN(ExploreReport::Ending each,
                     told(program, ending, {.executions = 2000, .seconds = options.most_seconds / 4}, options.shrink));
    report.endings.push_back(std::move(each));
  }
  for (const auto& race : seen.races) {
    report.races.push_back(told(program, race));
    if (report.races.size() == races_witnessed) break;
  }
  return report;
}

void watch_hangs(double seconds, std::function<void(const std::string& picture)> told) {
  modelled::watchdog() = {.seconds = std::max<int64_t>(1, static_cast<int64_t>(seconds)), .before_end = std::move(told)};
}

namespace {

void copy_witnesses(const Execution& from, Execution& to) {
  for (size_t rank = 0; rank < from.ranks.size(); ++rank)
    for (size_t i = 0; i < from.ranks[rank].races.size() && i < to.ranks[rank].races.size(); ++i) {
      to.ranks[rank].races[i].witness = from.ranks[rank].races[i].witness;
      to.ranks[rank].races[i].schedule = from.ranks[rank].races[i].schedule;
    }
}

}  // namespace

void find_witnesses(const Case& the_case, const CandidateInfo& candidate, Evidence& evidence) {
  const auto warm =
      std::ranges::find(evidence.executions, Variation::Kind::warm, [](const Execution& each) { return each.variation.kind; });
  const bool any =
      warm != evidence.executions.end() && std::ranges::any_of(warm->ranks, [](const RankRun& rank) { return !rank.races.empty(); });
  if (!any || the_case.world != WorldKind::sim) return;
  const explore::Program program = CaseProgram(the_case, candidate, evidence);
  const explore::Execution run = explore::run_with(program, modelled::round_robin());
  size_t witnessed = 0;
  const size_t first = static_cast<size_t>(warm - evidence.executions.begin());
  for (RankRun& rank : warm->ranks)
    for (RankRun::Race& race : rank.races) {
      const auto number = static_cast<size_t>(race.number);
      if (witnessed == races_witnessed || number >= run.outcome.races.size()) continue;
      ++witnessed;
      const auto witness = explore::reverse_race(program, run, run.outcome.races[number]);
      if (!witness) continue;
      race.witness = witness->wrong_bytes ? "wrong bytes" : "benign";
      race.schedule = explore::print_schedule(explore::stored(witness->run));
    }
  // What proves that the execution is deterministic has the same races.
  for (Execution& again : evidence.executions)
    if (again.variation.kind == Variation::Kind::again && again.variation.index == 0) copy_witnesses(evidence.executions[first], again);
}

}  // namespace reloadlab::sim
