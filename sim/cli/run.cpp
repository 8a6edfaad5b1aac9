#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "reference/base/nearest.h"
#include "sim/candidate/python.h"
#include "sim/cli/commands.h"
#include "sim/cli/machine.h"
#include "sim/report/annotations.h"

namespace reloadlab::sim {
namespace {

bool drives_gpus(const Selection& selection) { return selection.on == WorldKind::cuda || selection.world == WorldKind::cuda; }

struct RunTexts {
  SelectionTexts selection;
  CampaignOptions options;
  std::vector<std::string> stands_for;
  std::string baseline, today, seconds, silence, isolate, shard, out = "out";
  bool no_expectations = false, list_devices = false;
};

// "vllm@0.17.1=vllm@0.24.0": the one there, and the one here that it is compared with. Names hold no '='; paths may.
Result<std::optional<BaselineOptions>> read_baseline(const RunTexts& texts) {
  if (texts.baseline.empty() && !texts.stands_for.empty())
    return Status(Code::usage, "--baseline-candidate needs --baseline: there is no other run whose candidates have names");
  if (texts.baseline.empty()) return std::optional<BaselineOptions>();
  BaselineOptions options{.file = texts.baseline};
  for (const std::string& text : texts.stands_for) {
    const size_t between = text.find('=');
    if (between == 0 || between == std::string::npos || between + 1 == text.size())
      return Status(Code::usage, fmt::format("--baseline-candidate: \"{}\" is not THERE=HERE, as in vllm@0.17.1=vllm@0.24.0", text));
    if (!options.stands_for.emplace(text.substr(0, between), text.substr(between + 1)).second)
      return Status(Code::usage, fmt::format("--baseline-candidate: {} is given twice", text.substr(0, between)));
  }
  return std::optional(std::move(options));
}

Result<Exit> run(RunTexts texts, const Program& program) {
  CampaignOptions& options = texts.options;
  RELOADLAB_ASSIGN(options.selection, read_selection(texts.selection));
  RELOADLAB_ASSIGN(options.selection.shard, read_shard(texts.shard, environment_of_this_process()));
  RELOADLAB_ASSIGN(options.isolation, read_isolation(texts.isolate, options.selection));
  RELOADLAB_TRY(read_workers(texts.silence, program, options));
  if (!texts.seconds.empty()) {
    RELOADLAB_ASSIGN(options.seconds, read_duration(texts.seconds));
  }
  RELOADLAB_ASSIGN(options.today, read_today(texts.today));
  RELOADLAB_ASSIGN(options.baseline, read_baseline(texts));
  options.expectations = !texts.no_expectations;
  options.out = texts.out;
  options.program = program.name;
  if (drives_gpus(options.selection)) {
    RELOADLAB_ASSIGN(const std::optional<Launch> launch, launch_of_this_process());
    if (launch && texts.isolate.empty()) options.isolation = Isolation::none;  // there are workers as it is
    if (launch) return run_launched(*launch, std::move(options), program);
  }
  RELOADLAB_ASSIGN(const RunResult result, run_campaign(options, program.engine, {stderr, ::isatty(STDERR_FILENO) == 1}));
  print_result(options, result);
  return exit_code(result);
}

Result<Exit> list_devices() {
  fmt::print("{}", devices_text(gpus()));
  return gpus().here.empty() ? Exit::nothing_ran : Exit::held;
}

}  // namespace

// What others wrote is run in workers unless something else is asked for.
Result<Isolation> read_isolation(const std::string& text, const Selection& selection) {
  if (text.empty()) return std::ranges::any_of(selection.candidates, is_foreign) ? Isolation::workers : Isolation::none;
  if (text == "none") return Isolation::none;
  if (text == "workers") return Isolation::workers;
  if (text == "case") return Isolation::per_case;
  constexpr std::string_view kNames[] = {"workers", "case", "none"};
  return Status(Code::usage, fmt::format("--isolate: \"{}\" is none of workers, case and none{}", text, did_you_mean(text, kNames)));
}

Status read_workers(const std::string& silence, const Program& program, CampaignOptions& options) {
  const std::vector<std::string>& candidates = options.selection.candidates;
  if (options.isolation == Isolation::none && options.jobs == 1) RELOADLAB_TRY(host_candidates(program, candidates));
  if (!silence.empty()) {
    RELOADLAB_ASSIGN(options.silence_seconds, read_patience(silence));
    if (options.isolation == Isolation::none && options.jobs == 1 && !drives_gpus(options.selection))
      return Status(Code::usage, "--hang-after needs --isolate or --jobs: without workers nobody is left to see a hang");
  }
  RELOADLAB_ASSIGN(options.worker_command, worker_command(fmt::format("{}s", options.silence_seconds), candidates));
  return {};
}

void print_result(const CampaignOptions& options, const RunResult& result) {
  if (options.github) fmt::print("{}", github_annotations(result));
  if (!result.run.folder.empty()) fmt::print("{}\n", result.run.folder);
}

Command add_run(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("run", "Run scenarios with candidates and judge them by the laws");
  parser.footer(
      "Started once for each rank by torchrun, Slurm or Kubernetes (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), with --on or\n"
      "--world cuda: rank 0 is the run and leaves its files; the others play for it what needs as many processes, and exit as it does.");
  auto texts = std::make_shared<RunTexts>();
  add_selection(parser, texts->selection);
  CampaignOptions& options = texts->options;
  add_candidates(parser, texts->selection);
  parser.add_option("--law", texts->selection.laws, "Judge this law only; may be given again").type_name("ID").allow_extra_args(false);
  parser.add_option("--jobs", options.jobs, "Worker processes side by side").range(1, 1024).type_name("N");
  parser.add_option("--for", texts->seconds, "Start no case after so long: 500ms, 30s, 2m, 1h").type_name("TIME");
  parser
      .add_option("--shard", texts->shard,
                  "A part of the cases: 2/8, or 8 where JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID says which. Without it, as\n"
                  "GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX say, or a Slurm array")
      .type_name("I/N");
  parser.add_flag("--fail-fast", options.fail_fast, "Stop at the first failure");
  parser.add_flag(
      "--isolate{workers}", texts->isolate,
      "Candidates run in worker processes, as plug-ins always do; --isolate=case: a new one for each case; =none: in this process");
  parser
      .add_option("--hang-after", texts->silence,
                  "With workers: how long without a step beginning is a hang: 500ms, 30s, 2m, 1h (default 60s)")
      .type_name("TIME");
  Option none = parser.add_flag("--no-expectations", texts->no_expectations, "Known failures count as failures");
  parser.add_flag("--update-expectations", options.update_expectations, "Write down what fails, as known").excludes(none);
  parser.add_option("--today", texts->today, "The day that quarantines of expectation files are held against (default: the clock's, UTC)")
      .type_name("YYYY-MM-DD");
  parser.add_option("--repeat", options.repeat, "Run each case so often; a law that fails at times, or a difference, is flaky")
      .range(1, 1000)
      .type_name("N");
  parser.add_option("--baseline", texts->baseline, "An earlier run: a case that copies, moves, holds or does more than there fails")
      .type_name("FILE");
  parser
      .add_option("--baseline-candidate", texts->stands_for,
                  "A candidate there and the one here that it is compared with, as vllm@0.17.1=vllm@0.24.0; may be given again")
      .type_name("THERE=HERE")
      .allow_extra_args(false);
  parser.add_option("--out", texts->out, "Folder that gets the run's folder").type_name("DIR");
  parser.add_flag("--sarif", options.sarif, "Leave result.sarif, too");
  parser.add_flag("--github", options.github, "Print annotations for GitHub: ten at most, what matters most first");
  parser.add_flag("--list-devices", texts->list_devices, "Run nothing: say which GPUs there are; exit code 4 where there is none");
  return {parser, [texts, &program] { return texts->list_devices ? list_devices() : run(*texts, program); }};
}

}  // namespace reloadlab::sim
