// explore: the schedules of a case, instead of one.
#include <fmt/format.h>

#include <optional>

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
  std::string seconds = "60s";
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
  if (!texts.selection.seed.empty()) {
    RELOADLAB_ASSIGN(options.seed, read_seed(texts.selection.seed));
  }
  return options;
}

std::string indented(std::string text) {
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) text.replace(at, 1, "\n          ");
  return text;
}

void print(const ExploreReport& report) {
  fmt::print("  {}\n", report.covered);
  for (const ExploreReport::Ending& each : report.endings) {
    fmt::print("  {:>5} × {}\n", each.runs, each.verdict.empty() ? "all laws but that of order held" : indented(each.verdict));
    if (!each.verdict.empty())
      fmt::print("          {}, {}: --schedule {}\n", plural(each.preemptions, "preemption"), each.fewest ? "no fewer do" : "fewer may do",
                 each.schedule);
  }
  for (const ExploreReport::Race& each : report.races) {
    fmt::print("  race    {}\n          {}\n", each.accesses, each.missing);
    if (!each.witness.empty()) fmt::print("          {}: --schedule {}\n", in_both_orders(each.witness, each.reader), each.schedule);
    if (!each.tried) fmt::print("          not tried in the other order: the time of --for was up\n");
  }
  if (report.races_left_out > 0) fmt::print("  … and {} more\n", plural(static_cast<int64_t>(report.races_left_out), "race"));
}

// All cases that are selected, by all candidates of each.
Result<Exit> explore(const ExploreTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(const Selection selection, read_selection(texts.selection));
  RELOADLAB_ASSIGN(const ExploreOptions options, read_options(texts));
  RELOADLAB_ASSIGN(const Selected selected, select_cases(selection, program.engine));
  RELOADLAB_ASSIGN(const std::vector<Job> jobs, select_jobs(selection, selected.cases, program.engine));
  if (jobs.empty()) {
    fmt::print(stderr, "nothing ran: {}\n", why_no_case(selection, selected.all));
    return Exit::nothing_ran;
  }
  bool failed = false;
  size_t cut_off = 0, left_out = 0;
  for (const Job& job : jobs) {
    if (jobs.size() > 1 && !has_schedules(job.the_case)) {
      ++left_out;
      continue;
    }
    RELOADLAB_ASSIGN(const ExploreReport report, program.engine.explore(job.the_case, job.candidate, options));
    fmt::print("{}  {}  {}\n", report.failed() ? "FAIL" : report.cut_off ? "cut " : "ok  ", job.the_case.id(), job.candidate);
    print(report);
    failed |= report.failed();
    cut_off += report.cut_off ? 1 : 0;
  }
  if (left_out > 0) fmt::print("{} of {} left out: only cases with series in the world sim have schedules\n", left_out, jobs.size());
  if (left_out == jobs.size()) return Exit::nothing_ran;
  if (cut_off > 0) fmt::print("{} of {} cut off before all of its schedules had run; --for gives more time\n", cut_off, jobs.size());
  return failed ? Exit::failed : cut_off > 0 ? Exit::inconclusive : Exit::held;
}

}  // namespace

Command add_explore(CLI::App& app, const Program& program) {
  CLI::App* parser = app.add_subcommand("explore", "Play cases with series under many schedules: all that differ, unless said otherwise");
  auto texts = std::make_shared<ExploreTexts>();
  add_selection(*parser, texts->selection);
  parser
      ->add_option("--candidate", texts->selection.candidates,
                   "Implementation under test; may be given again. Default: the system's profiles")
      ->type_name("NAME")
      ->allow_extra_args(false);
  auto* way = parser->add_option_group("way", "");
  way->add_flag("--exhaustive", texts->exhaustive, "Every schedule that differs in what counts, once (the default)");
  way->add_flag("--unreduced", texts->unreduced, "Every schedule");
  way->add_option("--schedules", texts->schedules, "So many random ones")->check(CLI::Range(1, 1 << 30))->type_name("N");
  way->add_option("--pct-depth", texts->depth, "100 that find bugs of that depth with a known probability")
      ->check(CLI::Range(1, 100))
      ->type_name("D");
  way->add_flag("--timed", texts->timed, "The one that the cost model gives");
  way->add_option("--schedule", texts->schedule, "This one, as it was printed")->type_name("TEXT");
  way->require_option(0, 1);
  parser->add_option("--for", texts->seconds, "What a case may take: 500ms, 30s, 2m, 1h; a quarter is for shrinking and witnesses")
      ->type_name("TIME")
      ->capture_default_str();
  return {parser, [texts, &program] { return explore(*texts, program); }};
}

}  // namespace reloadlab::sim
