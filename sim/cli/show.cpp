// The report of a run again, or what the ranks of one of its cases did. Whatever is asked for and not there is a usage error.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <ranges>
#include <set>

#include "reference/base/nearest.h"
#include "sim/cli/commands.h"
#include "sim/report/columns.h"
#include "sim/report/console.h"
#include "sim/report/json.h"
#include "sim/report/races.h"
#include "sim/report/ring_table.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

constexpr size_t names_told = 5;

struct ShowTexts {
  std::string run = "out/latest", id, candidate;
  ViewOptions view;
};

std::filesystem::path trace_of(const std::string& run) {
  const std::filesystem::path path(run);
  std::error_code none;
  return (std::filesystem::is_directory(path, none) ? path : path.parent_path()) / "trace.jsonl";
}

using Words = std::set<std::string>;

// Near to it, or the first that begins with what is near to it: cases are called by their scenarios, and more.
std::string nearest_to(const std::string& word, const Words& there) {
  Words beginnings;
  for (const std::string& each : there) beginnings.insert(each.substr(0, each.find('[')));
  const std::string whole(nearest(word, there)), beginning(nearest(word, beginnings));
  if (!whole.empty() || beginning.empty()) return whole;
  return *there.lower_bound(beginning);
}

Status check_word(std::string_view noun, const std::string& word, const Words& there) {
  if (there.contains(word)) return {};
  const std::string near = nearest_to(word, there);
  return Status(Code::usage, fmt::format("no {} is called \"{}\"; this run has {}{}{}", noun, word,
                                         fmt::join(there | std::views::take(names_told), ", "), there.size() > names_told ? ", …" : "",
                                         near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
}

// The models of one run of a case, the one with the timeline first.
using Models = std::vector<TracedExecution>;

Status check_places(const ViewOptions& view, const Models& models) {
  const TracedExecution& run = models.front();
  const auto steps = static_cast<int64_t>(run.steps.size());
  if (view.step >= steps)
    return Status(Code::usage, fmt::format("--step: there is no step {}; {} has {}", view.step, run.id,
                                           steps == 1 ? fmt::format("step {} only", run.step_name(0))
                                                      : fmt::format("steps 0 to {}: {} first, {} last", steps - 1, run.steps.front(),
                                                                    run.steps.back())));
  for (const int rank : view.ranks)
    if (std::ranges::find(run.ranks, rank, &TracedRank::number) == run.ranks.end())
      return Status(Code::usage,
                    fmt::format("--ranks: there is no rank {}; {} has {}", rank, run.id,
                                fmt::join(run.ranks | std::views::transform(&TracedRank::number) | std::views::take(names_told), ", ")) +
                        (run.ranks.size() > names_told ? fmt::format(", … {}", run.ranks.back().number) : ""));
  return {};
}

std::string text_of(const Models& models, const ViewOptions& view) {
  const TracedExecution& run = models.front();
  std::string out = wrapped(fmt::format("{}  {}", run.id, run.candidate), view.width) + "\n" + columns_text(models, view) + "\n";
  for (const TracedExecution& model : models) out += rings_text(model, view);
  return out + races_text(run, view);
}

// Runs of the case in the trace, by candidate.
Result<std::vector<Models>> runs_of(const ShowTexts& texts) {
  RELOADLAB_ASSIGN(std::vector<TracedExecution> executions, read_trace(trace_of(texts.run), {texts.id}));
  std::vector<Models> runs;
  for (TracedExecution& one : executions) {
    if (one.series.empty() || !one.execution.starts_with("warm") || (!texts.candidate.empty() && one.candidate != texts.candidate))
      continue;
    if (one.model == 0) runs.emplace_back();
    runs.back().push_back(std::move(one));
  }
  return runs;
}

Result<Exit> show_case(const ShowTexts& texts, const RunResult& result) {
  Words ids, candidates;
  for (const CaseResult& one : result.cases) {
    ids.insert(one.id());
    if (one.id() == texts.id) candidates.insert(one.candidate);
  }
  RELOADLAB_TRY(check_word("case", texts.id, ids));
  if (!texts.candidate.empty()) RELOADLAB_TRY(check_word("candidate of " + texts.id, texts.candidate, candidates));
  RELOADLAB_ASSIGN(const std::vector<Models> runs, runs_of(texts));
  if (runs.empty())
    return Status(Code::usage, fmt::format("{} has no series that ran: --case shows streams, windows and races of series", texts.id));
  for (const Models& models : runs) RELOADLAB_TRY(check_places(texts.view, models));
  for (const Models& models : runs) fmt::print("{}", text_of(models, texts.view));
  return Exit::held;
}

Result<Exit> show(const ShowTexts& texts) {
  RELOADLAB_ASSIGN(const RunResult result, read_result(texts.run));
  if (!texts.id.empty()) return show_case(texts, result);
  fmt::print("{}", console_report(result, {.colour = ::isatty(STDOUT_FILENO) == 1}));
  return Exit::held;
}

}  // namespace

Command add_show(const Parser& app, const Program&) {
  const Parser parser = app.add_subcommand("show", "Print the report of a run again, or what the ranks of one of its cases did");
  auto texts = std::make_shared<ShowTexts>();
  parser.add_option("run", texts->run, "A run's folder or its result.json").type_name("RUN").capture_default_str();
  const Option id =
      parser.add_option("--case", texts->id, "This case with series: a column for each stream, a table for each ring, and races");
  id.type_name("ID");
  const auto of_case = [&](Option option) { return option.needs(id); };
  of_case(parser.add_option("--candidate", texts->candidate, "Of this candidate only")).type_name("NAME");
  of_case(parser.add_option("--step", texts->view.step, "What belongs to this step only")).type_name("N").range(0, 1 << 30);
  of_case(parser.add_option("--ranks", texts->view.ranks, "Of these ranks only: 0,1")).type_name("N").delimiter(',');
  of_case(parser.add_option("--width", texts->view.width, "Characters of a line")).range(40, 1000).capture_default_str();
  of_case(parser.add_option("--rows", texts->view.most, "So many rows of a table")).range(1, 1 << 30).capture_default_str();
  return {parser, [texts] { return show(*texts); }};
}

}  // namespace reloadlab::sim
