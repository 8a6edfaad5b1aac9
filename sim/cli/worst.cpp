// worst: the most that may come of a model, where no law is broken.
#include "sim/fuzz/worst.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>

#include "reference/base/read_file.h"
#include "sim/cli/commands.h"
#include "sim/report/run_folder.h"
#include "sim/report/text.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

struct WorstTexts {
  SelectionTexts selection;
  std::string objective, seconds, store = "out/worst";
  int64_t cases = 0;
};

std::string objectives_text() {
  std::string text;
  for (const fuzz::Objective& each : fuzz::objectives()) text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", each.name, each.about);
  return text;
}

constexpr std::string_view found_before = "The worst that was found: ";

// What an earlier search has found; a file of somebody else's says nothing.
int64_t value_in(const std::filesystem::path& file) {
  const Result<std::string> text = read_file(file);
  const size_t at = text.ok() ? text->find(found_before) : std::string::npos;
  int64_t value = -1;
  if (at != std::string::npos) std::from_chars(text->data() + at + found_before.size(), text->data() + text->size(), value);
  return value;
}

// The worst of all searches stays.
Status keep(const WorstTexts& texts, const fuzz::Objective& objective, const std::string& candidate, const fuzz::Worst& worst) {
  Case the_case = alone(worst.the_case);
  std::string ending = fmt::format("-worst-{}-{}", objective.name, candidate);
  std::ranges::replace_if(
      ending, [](unsigned char c) { return !std::isalnum(c); }, '-');
  the_case.scenario += ending;
  the_case.tags = {"worst"};
  the_case.about = fmt::format("{}{} {} of {} by {}.", found_before, worst.value, objective.unit, objective.name, candidate);
  const auto file = std::filesystem::path(texts.store) / (file_stem(the_case.scenario) + ".yaml");
  std::error_code error;
  std::filesystem::create_directories(texts.store, error);
  if (error) return Status(Code::failed, fmt::format("{}: {}", texts.store, error.message()));
  const int64_t before = value_in(file);
  if (worst.value > before) RELOADLAB_TRY(write_file(file, emit(the_case)));
  fmt::print("{}  {}  {} {}  case {} of {}  {}{}\n", worst.the_case.id(), candidate, grouped(worst.value), objective.unit, worst.found,
             worst.cases, file.string(), before > worst.value ? fmt::format("  (has {} of an earlier search)", grouped(before)) : "");
  std::fflush(stdout);  // the next one takes long
  return {};
}

Result<Exit> worst(const WorstTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(const fuzz::Objective* objective, fuzz::find_objective(texts.objective));
  RELOADLAB_ASSIGN(const Selection selection, read_selection(texts.selection));
  RELOADLAB_TRY(host_candidates(program, selection.candidates));
  RELOADLAB_ASSIGN(const Selected selected, select_cases(selection, program.engine));
  RELOADLAB_ASSIGN(const std::vector<Job> jobs, select_jobs(selection, selected.cases, program.engine));
  fuzz::WorstOptions options{.seed = selection.seed};
  if (texts.cases > 0) options.cases = texts.cases;
  if (!texts.seconds.empty() || !options.cases) {
    RELOADLAB_ASSIGN(options.seconds, read_duration(texts.seconds.empty() ? "10s" : texts.seconds));
  }
  for (const Job& job : jobs) {
    options.candidate = job.candidate;
    RELOADLAB_ASSIGN(const fuzz::Worst found, fuzz::search_worst(job.the_case, *objective, options, program.engine, {}));
    RELOADLAB_TRY(keep(texts, *objective, job.candidate, found));
  }
  return jobs.empty() ? Exit::nothing_ran : Exit::held;
}

}  // namespace

Command add_worst(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand(
      "worst",
      "Look for the order of loads or of passes that costs a case's model most: its first load, and then one update or some passes");
  auto texts = std::make_shared<WorstTexts>();
  add_selection(parser, texts->selection);
  add_candidates(parser, texts->selection);
  parser.add_option("--objective", texts->objective, objectives_text()).required().type_name("NAME");
  parser.add_option("--cases", texts->cases, "So many cases of each").range(1, int64_t{1} << 40).type_name("N");
  parser.add_option("--for", texts->seconds, "Start no case after so long, of each (default, without --cases: 10s)").type_name("TIME");
  parser.add_option("--store", texts->store, "Folder that gets a scenario file for each").capture_default_str().type_name("DIR");
  return {parser, [texts, &program] { return worst(*texts, program); }};
}

}  // namespace reloadlab::sim
