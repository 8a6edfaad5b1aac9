#include "sim/campaign/explore_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/campaign/attempt.h"
#include "sim/explore/flow.h"
#include "sim/explore/shrink.h"
#include "sim/explore/stopwatch.h"
#include "sim/explore/strategy.h"
#include "sim/explore/witness.h"
#include "sim/law/law.h"
#include "sim/law/ring.h"
#include "sim/replay/replay.h"
#include "sim/world/modelled/device.h"
#include "sim/world/modelled/modelled_world.h"
#include "sim/world/watchdog.h"

namespace reloadlab::sim {
namespace {

constexpr size_t races_witnessed = 8;            // of one run; each costs a replay or two
constexpr int64_t shrinking_executions = 2'000;  // of one ending

// What laws came to in the runs of a program.
struct Judged {
  std::map<std::string, std::vector<LawResult>> failed;  // by the verdict that they make
  std::map<std::string, State> by_law;                   // fail where it failed in some run, pass where it passed in some
  std::vector<LawResult> order;                          // the first failure of the law of order
};

// The case as a program: each run makes a world with the chooser that it is given, and plays the scenario's own execution there.
class CaseProgram {
 public:
  CaseProgram(const Case& the_case, const CandidateInfo& candidate, const Evidence& cold, Judged& judged)
      : case_(the_case), candidate_(candidate), cold_(cold), judged_(judged) {}

  explore::Outcome operator()(std::unique_ptr<modelled::Chooser> chooser) const {
    explore::Outcome outcome{.ranks = case_.ranks};
    ReplayOptions options{.others = &cold_};
    options.make_world = [&](const WorldRequest& request) -> Result<std::unique_ptr<World>> {
      if (request.kind != WorldKind::sim) return make_world(request);
      // What ranks tell each other through the harness's store is no choice: the schedules are those of their work.
      return std::unique_ptr<World>(std::make_unique<modelled::ModelledWorld>(request, std::move(chooser), modelled::Stores::quiet));
    };
    options.after_run = [&](World& world) { outcome.races = dynamic_cast<modelled::ModelledWorld&>(world).machine().races().races(); };
    std::vector<Copy> copies;
    options.on_copy = [&](int model, int rank, size_t read, const at::Tensor& copy) {
      copies.push_back({model, static_cast<size_t>(rank), read, modelled::access_to(copy, false).region});
    };
    const Result<Evidence> evidence = replay(case_, candidate_, options);
    TORCH_CHECK(evidence.ok(), evidence.status().message());
    outcome.verdict = verdict_of(*evidence);
    outcome.state = state_of(*evidence);
    for (const Execution& execution : evidence->executions) judge_copies(*evidence, execution, copies, outcome);
    return outcome;
  }

 private:
  // Where the bytes that a forward read are kept.
  struct Copy {
    int model;
    size_t rank, read;
    Region region;
  };
  static void judge_copies(const Evidence& evidence, const Execution& execution, const std::vector<Copy>& copies,
                           explore::Outcome& outcome) {
    if (execution.variation.kind != Variation::Kind::warm) return;
    outcome.stopped |= !execution.stopped.empty();
    if (!execution.stopped.empty()) return;  // what hosts had issued may never have been read
    for (const Copy& copy : copies) {
      if (copy.model != execution.variation.index) continue;
      const RankRun::Read& read = execution.ranks[copy.rank].reads[copy.read];
      if (!is_wrong(evidence, execution, copy.rank, read)) continue;
      const std::string text =
          fmt::format("{} on rank {} in step {}", evidence.layers[static_cast<size_t>(read.layer)], evidence.number(copy.rank), read.step);
      // What somebody else owns is named first: there it came through a window.
      const bool own = owns(evidence, place_of(evidence, read.layer), evidence.number(copy.rank));
      outcome.wrong.insert(own ? outcome.wrong.end() : outcome.wrong.begin(), {copy.region, text});
    }
  }
  // Races are told apart: they are there in every schedule, whatever it makes of them.
  std::string verdict_of(const Evidence& evidence) const {
    std::vector<LawResult> failed;
    for (const Verdict& verdict : judge(evidence)) {
      const bool fails = verdict.outcome == sim::Outcome::fail;
      note(verdict.law, fails ? State::fail : verdict.outcome == sim::Outcome::pass ? State::pass : State::unsupported);
      if (!fails) continue;
      LawResult law{.law = verdict.law, .state = State::fail, .finding = verdict.finding};
      if (verdict.law != "ring_happens_before")
        failed.push_back(std::move(law));
      else if (judged_.order.empty())
        judged_.order.push_back(std::move(law));
    }
    LawResult alive = survives(evidence);
    note(alive.law, alive.state == State::pass ? State::pass : State::fail);
    if (alive.state != State::pass) failed.push_back(std::move(alive));
    std::string text;
    for (const LawResult& law : failed) text += fmt::format("{}{}", text.empty() ? "" : "\n", failure_text(law));
    if (!failed.empty()) judged_.failed.emplace(text, std::move(failed));
    return text;
  }
  void note(const std::string& law, State state) const {
    const auto known = judged_.by_law.emplace(law, state).first;
    if (state == State::fail || known->second == State::unsupported) known->second = state;
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
  Judged& judged_;
};

// Of verdicts that no laws made: something was thrown, or the search itself ended the run.
std::vector<LawResult> failed_by(const Judged& judged, const std::string& verdict) {
  if (verdict.empty()) return {};
  if (const auto found = judged.failed.find(verdict); found != judged.failed.end()) return found->second;
  const State state = verdict.starts_with("hang") ? State::hang : State::fail;
  const std::string law(kSurvives);
  return {{.law = law, .state = state, .finding = Finding{.law = law, .execution = "warm", .what = verdict}}};
}

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

std::string site_text(const AccessSite& site, int ranks) {
  return fmt::format("{} on {} {}{}", site.operation, modelled::actor_name(site.actor, ranks), site.write ? "writes" : "reads",
                     site.label ? " (" + site.label->text + ")" : "");
}

// What one case may take.
class Time {
 public:
  explicit Time(double seconds) : seconds_(seconds) {}
  double left() const { return seconds_ - watch_.seconds(); }
  bool is_up() const { return left() <= 0; }

 private:
  explore::Stopwatch watch_;
  double seconds_;
};

ExploreReport::Race told(const explore::Program& program, const explore::Exploration::FoundRace& found, const Time& time) {
  const Race& race = found.race;
  ExploreReport::Race told{
      .accesses = fmt::format("{} || {}", site_text(race.first, found.run.outcome.ranks), site_text(race.second, found.run.outcome.ranks)),
      .missing = explore::missing_edge(found.run, race),
      .tried = !time.is_up()};
  if (!told.tried) return told;
  if (const auto witness = explore::reverse_race(program, found.run, race)) {
    told.witness = witness->wrong_bytes ? "wrong bytes" : "benign";
    told.reader = witness->reader;
    told.schedule = explore::print_schedule(explore::stored(witness->run));
  }
  return told;
}

Result<ExploreReport::Ending> told(const explore::Program& program, const explore::Ending& ending, const Judged& judged,
                                   const explore::Limits& limits) {
  ExploreReport::Ending told{.runs = ending.runs,
                             .failed = failed_by(judged, ending.verdict),
                             .schedule = explore::print_schedule(ending.schedule),
                             .preemptions = ending.preemptions};
  if (ending.verdict.empty()) return told;
  RELOADLAB_ASSIGN(const explore::Execution run, explore::replay_stored(program, ending.schedule));
  told.raced = !run.outcome.wrong.empty() && explore::wrong_by_races(run);
  const auto same = [&](const explore::Outcome& outcome) { return outcome.verdict == ending.verdict; };
  const explore::Shrunk shrunk = explore::shrink(program, run, same, limits);
  told.schedule = explore::print_schedule(explore::stored(shrunk.run));
  told.preemptions = shrunk.preemptions;
  told.fewest = shrunk.fewest;
  told.limit = shrunk.limit;
  return told;
}

// Runs with the same findings end alike for readers, whatever else was read in them.
std::vector<explore::Ending> by_verdict(const std::vector<explore::Ending>& endings) {
  std::vector<explore::Ending> merged;
  for (const explore::Ending& ending : endings) {
    const auto known = std::ranges::find(merged, ending.verdict, &explore::Ending::verdict);
    if (known == merged.end())
      merged.push_back(ending);
    else
      known->runs += ending.runs;
  }
  return merged;
}

// Each ending that failed is made small in its share of the time that is left; another share is for races.
Status tell_endings(const explore::Program& program, const explore::Exploration& seen, const Judged& judged, bool shrinks, const Time& time,
                    ExploreReport& report) {
  const auto fails = [](const explore::Ending& ending) { return !ending.verdict.empty(); };
  const std::vector<explore::Ending> endings = by_verdict(seen.endings);
  auto shares = std::ranges::count_if(endings, fails) + (seen.races.empty() ? 0 : 1);
  for (const explore::Ending& ending : endings) {
    const double share = shrinks && fails(ending) ? time.left() / static_cast<double>(shares--) : 0;
    RELOADLAB_ASSIGN(ExploreReport::Ending each, told(program, ending, judged, {.executions = shrinking_executions, .seconds = share}));
    report.endings.push_back(std::move(each));
  }
  return {};
}

}  // namespace

Result<ExploreReport> explore_case(const Case& the_case, const CandidateInfo& candidate, const ExploreOptions& options) {
  if (!has_schedules(the_case))
    return Status(Code::usage, the_case.id() + ": only cases with series in the world sim have schedules to explore");
  RELOADLAB_ASSIGN(const explore::Strategy strategy, strategy_of(options));
  const Time allowed(options.most_seconds);
  RELOADLAB_ASSIGN(const Evidence cold, replay(the_case, candidate, {}));
  Judged judged;
  const explore::Program program = CaseProgram(the_case, candidate, cold, judged);
  const explore::Limits limits{.executions = options.most_executions, .seconds = std::max(0.0, allowed.left() * 3 / 4)};
  const Result<explore::Exploration> explored = explore::explore(program, strategy, limits);
  if (!explored.ok() && options.way == ExploreOptions::Way::replay) return ExploreReport{.refusal = explored.status().message()};
  RELOADLAB_TRY(Status(explored.status()));
  const explore::Exploration& seen = *explored;
  ExploreReport report{.covered = explore::told(seen.coverage),
                       .chance = seen.chance ? explore::told(*seen.chance, options.schedules) : std::string(),
                       .cut_off = seen.coverage.cut_off,
                       .exhausted = seen.coverage.exhausted,
                       .order = judged.order};
  for (const auto& [law, state] : judged.by_law)
    if (state == State::pass) report.held.push_back({.law = law});
  RELOADLAB_TRY(tell_endings(program, seen, judged, options.shrink, allowed, report));
  for (const auto& race : seen.races) {
    if (report.races.size() == races_witnessed) break;
    report.races.push_back(told(program, race, allowed));
  }
  report.races_left_out = seen.races.size() - report.races.size();
  return report;
}

void watch_hangs(double seconds, std::function<void(const std::string& picture)> told) {
  watchdog() = {.seconds = seconds, .before_end = std::move(told)};
}

namespace {

void copy_witnesses(const Execution& from, Execution& to) {
  for (size_t rank = 0; rank < from.ranks.size(); ++rank)
    for (size_t i = 0; i < from.ranks[rank].races.size() && i < to.ranks[rank].races.size(); ++i) {
      to.ranks[rank].races[i].witness = from.ranks[rank].races[i].witness;
      to.ranks[rank].races[i].reader = from.ranks[rank].races[i].reader;
      to.ranks[rank].races[i].schedule = from.ranks[rank].races[i].schedule;
    }
}

bool is_access(const RankRun::Access& seen, const AccessSite& site, int ranks) {
  return seen.stream == modelled::actor_name(site.actor, ranks) && seen.operation == site.operation && seen.writes == site.write &&
         seen.about == (site.label ? site.label->text : "");
}

// The race that was seen, in a run that may have others before it: there the harness's store was no choice. Each is taken once.
const Race* take_race(const RankRun::Race& seen, const explore::Outcome& outcome, std::set<const Race*>& taken) {
  for (const Race& race : outcome.races)
    if (is_access(seen.first, race.first, outcome.ranks) && is_access(seen.second, race.second, outcome.ranks))
      if (taken.insert(&race).second) return &race;
  return nullptr;
}

}  // namespace

void find_witnesses(const Case& the_case, const CandidateInfo& candidate, Evidence& evidence) {
  const auto warm =
      std::ranges::find(evidence.executions, Variation::Kind::warm, [](const Execution& each) { return each.variation.kind; });
  const bool any =
      warm != evidence.executions.end() && std::ranges::any_of(warm->ranks, [](const RankRun& rank) { return !rank.races.empty(); });
  if (!any || the_case.world != WorldKind::sim || the_case.series.empty()) return;  // other executions than one schedule covers
  Judged judged;
  const explore::Program program = CaseProgram(the_case, candidate, evidence, judged);
  const explore::Execution run = explore::run_with(program, modelled::round_robin());
  std::set<const Race*> taken;
  const size_t first = static_cast<size_t>(warm - evidence.executions.begin());
  for (RankRun& rank : warm->ranks)
    for (RankRun::Race& race : rank.races) {
      if (taken.size() == races_witnessed) continue;
      const Race* same = take_race(race, run.outcome, taken);
      if (!same) continue;
      const auto witness = explore::reverse_race(program, run, *same);
      if (!witness) continue;
      race.witness = witness->wrong_bytes ? "wrong bytes" : "benign";
      race.reader = witness->reader;
      race.schedule = explore::print_schedule(explore::stored(witness->run));
    }
  // What proves that the execution is deterministic has the same races.
  for (Execution& again : evidence.executions)
    if (again.variation.kind == Variation::Kind::again && again.variation.index == 0) copy_witnesses(evidence.executions[first], again);
}

}  // namespace reloadlab::sim
