// explore: the schedules of a case, instead of one.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>

#include "sim/campaign/expectation_book.h"
#include "sim/cli/commands.h"
#include "sim/evidence/text.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

struct ExploreTexts {
  SelectionTexts selection;
  ExploreOptions options;
  std::optional<std::string> schedule;
  bool exhaustive = false, unreduced = false, timed = false;
  int64_t schedules = 0;
  int depth = 0;
  std::string seconds = "60s", silence = "60s", today;
  bool no_expectations = false;
};

Result<ExploreOptions> read_options(const ExploreTexts& texts) {
  using Way = ExploreOptions::Way;
  ExploreOptions options = texts.options;
  if (texts.schedules > 0) options.way = Way::random, options.schedules = texts.schedules;
  if (texts.depth > 0) options.way = Way::pct, options.depth = texts.depth;
  if (texts.unreduced) options.way = Way::unreduced;
  if (texts.timed) options.way = Way::timed;
  if (texts.schedule) options.way = Way::replay, options.schedule = *texts.schedule;
  RELOADLAB_ASSIGN(options.most_seconds, read_duration(texts.seconds));
  RELOADLAB_ASSIGN(options.hang_seconds, read_patience(texts.silence));
  if (!texts.selection.seed.empty()) {
    RELOADLAB_ASSIGN(options.seed, read_seed("--seed", texts.selection.seed));
  }
  return options;
}

bool is_known(const LawResult& law) { return law.state == State::known; }

// Where races are known, so is what they do to bytes, in whichever schedule.
void excuse(ExploreReport& report) {
  for (ExploreReport::Ending& ending : report.endings)
    for (LawResult& law : ending.failed) {
      if (!ending.raced || law.state != State::fail) continue;
      excuse_by_race(report.order.front().rule, law);
      if (is_known(law)) law.reason = "of the races";
    }
}

// What expectation files know of it. A law that is to fail and held is only known to have held where every schedule has run.
void apply(const ExpectationBook& book, const Job& job, ExploreReport& report) {
  const auto each = [&](std::vector<LawResult>& laws) {
    CaseResult one = blank_result(job);
    one.laws = std::move(laws);
    book.apply(one);
    laws = std::move(one.laws);
  };
  for (ExploreReport::Ending& ending : report.endings) each(ending.failed);
  each(report.order);
  each(report.held);
  if (!report.order.empty() && is_known(report.order.front())) excuse(report);
}

std::set<State> states_of(const ExploreReport& report) {
  std::set<State> states;
  const auto add = [&](const LawResult& law) { states.insert(law.state); };
  for (const ExploreReport::Ending& ending : report.endings) std::ranges::for_each(ending.failed, add);
  std::ranges::for_each(report.order, add);
  if (report.exhausted) std::ranges::for_each(report.held, add);
  return states;
}

std::string told(const LawResult& law) {
  std::string text = failure_text(law);
  if (is_known(law)) text = fmt::format("known ({}): {}", law.rule, text);
  return law.reason.empty() ? text : fmt::format("{}; {}", text, law.reason);
}

// Prints a case by a candidate. Schedules stand in lines to paste.
class Teller {
 public:
  Teller(const Job& job, const Program& program, uint64_t seed)
      : again_(fmt::format("{} explore {} --name {} --candidate {}{} --schedule ", program.name, shell_word(job.the_case.file),
                           shell_word(job.the_case.id()), shell_word(job.candidate), seed == 0 ? "" : fmt::format(" --seed {}", seed))) {}

  void tell(const ExploreReport& report) const {
    fmt::print("  {}\n", report.covered);
    if (!report.chance.empty()) fmt::print("  {}\n", report.chance);
    for (const ExploreReport::Ending& each : report.endings) tell(each);
    for (const LawResult& law : report.order) fmt::print("  order   {}\n", told(law));
    for (const ExploreReport::Race& each : report.races) tell(each);
    if (report.races_left_out > 0) fmt::print("  … and {} more\n", plural(static_cast<int64_t>(report.races_left_out), "race"));
    for (const LawResult& law : report.held)
      if (report.exhausted && law.state == State::unexpected_pass) fmt::print("  held    {}: {}\n", law.law, law.reason);
  }

 private:
  void tell(const ExploreReport::Ending& ending) const {
    if (ending.failed.empty()) return fmt::print("  {:>5} × all laws but that of order held\n", ending.runs);
    for (const LawResult& law : ending.failed) {
      if (&law == &ending.failed.front())
        fmt::print("  {:>5} × {}\n", ending.runs, told(law));
      else
        fmt::print("          {}\n", told(law));
    }
    const std::string fewer = ending.fewest ? "no fewer do" : "fewer may do: the search for them ended after " + ending.limit;
    fmt::print("          {}, {}\n          {}{}\n", plural(ending.preemptions, "preemption"), fewer, again_, ending.schedule);
  }
  void tell(const ExploreReport::Race& race) const {
    fmt::print("  race    {}\n          {}\n", race.accesses, race.missing);
    if (!race.tried) return fmt::print("          not tried in the other order: the time of --for was up\n");
    if (race.witness.empty()) return fmt::print("          no schedule has them in the other order\n");
    fmt::print("          {}\n          {}{}\n", in_both_orders(race.witness, race.reader), again_, race.schedule);
  }

  const std::string again_;
};

// All cases that are selected, by all candidates of each.
class Explorer {
 public:
  Explorer(const ExploreOptions& options, const Program& program, uint64_t seed) : options_(options), program_(program), seed_(seed) {}

  // `others`: what the same files have beside, asked only whose a schedule is that is of none of the jobs.
  Result<Exit> all(const std::vector<Job>& jobs, const std::vector<Job>& others, const std::optional<ExpectationBook>& book) {
    for (const Job& job : jobs) RELOADLAB_TRY(one(job, jobs.size() == 1, book));
    const auto left_out = [&](size_t count, const char* why) {
      if (count > 0) fmt::print("{} of {} left out: {}\n", count, jobs.size(), why);
    };
    left_out(no_schedules_, "only cases with series in the world sim have schedules");
    if (others_ > 0 && done_ == 0) return whose(jobs, others);
    left_out(others_, "the schedule is of another case");
    if (cut_off_ > 0) fmt::print("{} of {} cut off before all of its schedules had run; --for gives more time\n", cut_off_, jobs.size());
    return exit();
  }

 private:
  Status one(const Job& job, bool alone, const std::optional<ExpectationBook>& book) {
    if (!alone && !has_schedules(job.the_case)) {
      ++no_schedules_;
      return {};
    }
    Result<ExploreReport> report = explored(job);
    if (!report.ok()) return refused(job, report.status());
    if (!report->refusal.empty()) {
      ++others_;
      refusal_ = report->refusal;
      return {};
    }
    if (book) apply(*book, job, *report);
    const std::set<State> states = states_of(*report);
    fmt::print("{:<5} {}  {}\n", word(states, report->cut_off), job.the_case.id(), job.candidate);
    Teller(job, program_, seed_).tell(*report);
    seen_.insert(states.begin(), states.end());
    cut_off_ += report->cut_off ? 1 : 0;
    ++done_;
    return {};
  }

  Status whose(const std::vector<Job>& jobs, const std::vector<Job>& others) {
    for (const Job& job : others) {
      const auto same = [&](const Job& asked) { return asked.the_case.id() == job.the_case.id() && asked.candidate == job.candidate; };
      if (!has_schedules(job.the_case) || std::ranges::any_of(jobs, same)) continue;
      if (const Result<ExploreReport> report = explored(job); report.ok() && report->refusal.empty())
        return {Code::data, fmt::format("the schedule is of another case: --name '{}' --candidate {}", job.the_case.id(), job.candidate)};
    }
    return {Code::data, refusal_ +
                            "; of these files' cases, by these candidates and the profiles, none has it: it is of another file or "
                            "candidate, or of another version of these"};
  }

  // A rank that never comes back takes the process with it: what was found so far is told, and whose case it was.
  Result<ExploreReport> explored(const Job& job) {
    if (program_.engine.watch_hangs)
      program_.engine.watch_hangs(options_.hang_seconds, [&job](const std::string& picture) {
        fmt::print("HANG  {}  {}\n  {}\n", job.the_case.id(), job.candidate, picture);
        std::fflush(stdout);
      });
    return program_.engine.explore(job.the_case, job.candidate, options_);
  }

  // What is wrong with one case is no reason to leave the others.
  Status refused(const Job& job, const Status& status) {
    if (status.code() != Code::data || options_.way == ExploreOptions::Way::replay) return status;
    bad_data_ = true;
    fmt::print(stderr, "{}  {}: {}\n", job.the_case.id(), job.candidate, status.message());
    return {};
  }

  static const char* word(const std::set<State>& states, bool cut_off) {
    if (states.contains(State::hang)) return "HANG";
    if (states.contains(State::fail) || states.contains(State::unexpected_pass)) return "FAIL";
    if (cut_off) return "cut";
    return states.contains(State::known) ? "known" : "ok";
  }

  Exit exit() const {
    if (seen_.contains(State::hang)) return Exit::hang;
    if (seen_.contains(State::fail)) return Exit::failed;
    if (seen_.contains(State::unexpected_pass)) return Exit::unexpected_pass;
    if (cut_off_ > 0) return Exit::inconclusive;
    if (bad_data_) return Exit::bad_scenario;
    return done_ == 0 ? Exit::nothing_ran : Exit::held;
  }

  const ExploreOptions& options_;
  const Program& program_;
  const uint64_t seed_;
  std::set<State> seen_;
  size_t done_ = 0, cut_off_ = 0, no_schedules_ = 0, others_ = 0;
  bool bad_data_ = false;
  std::string refusal_;
};

// Every case of the files by the candidates that are asked for, and by the profiles.
Result<std::vector<Job>> jobs_of_files(Selection selection, const Selected& selected, const Engine& engine) {
  RELOADLAB_ASSIGN(std::vector<Job> jobs, select_jobs(selection, selected.all, engine));
  selection.candidates.clear();
  RELOADLAB_ASSIGN(const std::vector<Job> by_profiles, select_jobs(selection, selected.all, engine));
  jobs.insert(jobs.end(), by_profiles.begin(), by_profiles.end());
  return jobs;
}

Result<Exit> explore(const ExploreTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(const Selection selection, read_selection(texts.selection));
  RELOADLAB_ASSIGN(const ExploreOptions options, read_options(texts));
  RELOADLAB_TRY(host_candidates(program, selection.candidates));
  RELOADLAB_ASSIGN(const Selected selected, select_cases(selection, program.engine));
  RELOADLAB_ASSIGN(const std::vector<Job> jobs, select_jobs(selection, selected.cases, program.engine));
  if (jobs.empty()) {
    fmt::print(stderr, "nothing ran: {}\n", why_no_case(selection, selected));
    return Exit::nothing_ran;
  }
  std::optional<ExpectationBook> book;
  RELOADLAB_ASSIGN(const std::string today, read_today(texts.today));
  if (!texts.no_expectations) {
    RELOADLAB_ASSIGN(
        book, ExpectationBook::open(selected.all, judged_law_ids(program.engine), {.facts = program.engine.facts(), .today = today}));
  }
  std::vector<Job> others;  // whose a schedule may be
  if (options.way == ExploreOptions::Way::replay) {
    RELOADLAB_ASSIGN(others, jobs_of_files(selection, selected, program.engine));
  }
  return Explorer(options, program, selection.seed).all(jobs, others, book);
}

}  // namespace

Command add_explore(const Parser& app, const Program& program) {
  const Parser parser =
      app.add_subcommand("explore", "Play cases with series under many schedules: all that differ, unless said otherwise");
  auto texts = std::make_shared<ExploreTexts>();
  add_selection(parser, texts->selection);
  add_candidates(parser, texts->selection);
  const Parser way = parser.add_option_group("way");
  way.add_flag("--exhaustive", texts->exhaustive, "Every schedule that differs in what counts, once (the default)");
  way.add_flag("--unreduced", texts->unreduced, "Every schedule");
  way.add_option("--schedules", texts->schedules, "So many random ones").range(1, 1 << 30).type_name("N");
  way.add_option("--pct-depth", texts->depth, "100 that find bugs of that depth with a known probability").range(1, 100).type_name("D");
  way.add_flag("--timed", texts->timed, "The one that the cost model gives");
  way.add_option("--schedule", texts->schedule, "This one, as it was printed").type_name("TEXT");
  way.require_option(0, 1);
  parser.add_option("--for", texts->seconds, "What a case may take: 500ms, 30s, 2m, 1h; a quarter is for shrinking and witnesses")
      .type_name("TIME")
      .capture_default_str();
  parser.add_option("--hang-after", texts->silence, "How long a rank may come to no operation of its device: 500ms, 30s, 2m, 1h")
      .type_name("TIME")
      .capture_default_str();
  parser.add_option("--today", texts->today, "The day that quarantines of expectation files are held against (default: the clock's, UTC)")
      .type_name("YYYY-MM-DD");
  parser.add_flag("--no-expectations", texts->no_expectations, "Known failures count as failures");
  return {parser, [texts, &program] { return explore(*texts, program); }};
}

}  // namespace reloadlab::sim
