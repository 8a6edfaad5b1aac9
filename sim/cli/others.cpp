// show, doctor, and the worker's side of isolation.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <ranges>
#include <set>
#include <thread>

#include "reference/base/nearest.h"
#include "sim/campaign/worker.h"
#include "sim/cli/commands.h"
#include "sim/report/columns.h"
#include "sim/report/console.h"
#include "sim/report/json.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

constexpr size_t ids_told = 5;

struct ShowTexts {
  std::string run = "out/latest", id, candidate;
  ViewOptions view;
};

std::filesystem::path trace_of(const std::string& run) {
  const std::filesystem::path path(run);
  return (std::filesystem::is_directory(path) ? path : path.parent_path()) / "trace.jsonl";
}

// What the streams of one case did.
Result<Exit> show_streams(const ShowTexts& texts, const RunResult& result) {
  std::set<std::string> ids;
  for (const CaseResult& one : result.cases) ids.insert(one.id());
  if (!ids.contains(texts.id))
    return Status(Code::usage, fmt::format("no case is called \"{}\"{}; this run has {}{}", texts.id, did_you_mean(texts.id, ids),
                                           fmt::join(ids | std::views::take(ids_told), ", "), ids.size() > ids_told ? ", …" : ""));
  RELOADLAB_ASSIGN(const std::vector<TracedExecution> executions, read_trace(trace_of(texts.run), texts.id));
  for (const TracedExecution& one : executions) {
    if (one.timeline.empty() || (!texts.candidate.empty() && one.candidate != texts.candidate)) continue;
    fmt::print("{}  {}  {}\n\n{}\n{}", one.id, one.candidate, one.execution, columns_text(one, texts.view), windows_text(one, texts.view));
    if (!one.races.empty()) fmt::print("{}", races_text(one, texts.view));
  }
  return Exit::held;
}

Result<Exit> show(const ShowTexts& texts) {
  RELOADLAB_ASSIGN(const RunResult result, read_result(texts.run));
  if (!texts.id.empty()) return show_streams(texts, result);
  fmt::print("{}", console_report(result, {.colour = ::isatty(STDOUT_FILENO) == 1}));
  return Exit::held;
}

struct Examined {
  bool fine;
  std::string what, says;
};

// What a run needs and where it is looked for.
std::vector<Examined> examine(const Engine& engine) {
  namespace fs = std::filesystem;
  std::error_code error;
  const char* home = std::getenv("HOME");
  const char* cache = std::getenv("RELOADLAB_CACHE");
  const fs::path models = fs::path(cache ? cache : std::string(home ? home : "") + "/.cache/reloadlab") / "models";
  const bool writable = ::access(".", W_OK) == 0;
  return {{true, "program", "reloadlab " RELOADLAB_VERSION},
          {true, "LibTorch", torch_version()},
          {true, "processors", fmt::format("{}", std::thread::hardware_concurrency())},
          {!engine.laws.empty(), "laws", fmt::format("{}", engine.laws.size())},
          {!engine.candidate_names().empty(), "candidates", fmt::format("{}", fmt::join(engine.candidate_names(), " "))},
          {fs::is_directory("scenarios", error), "scenarios", "./scenarios, what `run` runs when nothing is named"},
          {fs::is_directory(models, error), "models", models.string() + ", where ci/setup puts real checkpoints"},
          {writable, "out", "./out, where runs leave their files"}};
}

Result<Exit> doctor(const Engine& engine) {
  std::vector<std::vector<std::string>> rows;
  bool fine = true;
  for (const Examined& one : examine(engine)) {
    rows.push_back({one.fine ? "ok" : "MISSING", one.what, one.says});
    fine &= one.fine;
  }
  fmt::print("{}", aligned(rows, "  "));
  return fine ? Exit::held : Exit::failed;
}

}  // namespace

Command add_show(CLI::App& app, const Program&) {
  CLI::App* parser = app.add_subcommand("show", "Print the report of a run again, or what the streams of one of its cases did");
  auto texts = std::make_shared<ShowTexts>();
  parser->add_option("run", texts->run, "A run's folder or its result.json")->type_name("RUN")->capture_default_str();
  parser->add_option("--case", texts->id, "This case with series: a column for each stream, the windows of the ring, and races")
      ->type_name("ID");
  parser->add_option("--candidate", texts->candidate, "Of this candidate only")->type_name("NAME");
  parser->add_option("--step", texts->view.step, "What belongs to this step only")->type_name("N");
  parser->add_option("--ranks", texts->view.ranks, "Of these ranks only: 0,1")->type_name("N")->delimiter(',');
  parser->add_option("--width", texts->view.width, "Characters of a line")->check(CLI::Range(40, 1000))->capture_default_str();
  parser->add_option("--rows", texts->view.most, "So many rows of columns")->check(CLI::Range(1, 1 << 30))->capture_default_str();
  return {parser, [texts] { return show(*texts); }};
}

Command add_doctor(CLI::App& app, const Program& program) {
  CLI::App* parser = app.add_subcommand("doctor", "Say what this machine and this folder have for a run");
  return {parser, [&program] { return doctor(program.engine); }};
}

Command add_worker(CLI::App& app, const Program& program) {
  CLI::App* parser = app.add_subcommand("worker", "Serve cases to a campaign; not for people")->group("");
  auto silence = std::make_shared<std::string>("60s");
  parser->add_option("--hang-after", *silence, "As the campaign was told");
  return {parser, [&program, silence]() -> Result<Exit> {
            RELOADLAB_ASSIGN(const double seconds, read_duration(*silence));
            return static_cast<Exit>(serve_jobs(kWorkerSocket, program.engine, seconds));
          }};
}

}  // namespace reloadlab::sim
