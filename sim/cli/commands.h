#pragma once
// The subcommands. Each adds itself to the parser with the action that runs when it was chosen.
#include <functional>
#include <memory>

#include "sim/campaign/campaign.h"
#include "sim/cli/parser.h"
#include "sim/compare/known_differences.h"
#include "sim/world/meeting_place.h"

namespace reloadlab::sim {

// What every action may use.
struct Program {
  const Engine& engine;
  std::string name;                // as it was called: "build/release/reloadlab"
  std::vector<std::string> words;  // what it was called with
};

using Action = std::function<Result<Exit>()>;

struct Command {
  Parser parser;
  Action action;
};

Command add_run(const Parser& app, const Program& program);
Command add_list(const Parser& app, const Program& program);
Command add_lint(const Parser& app, const Program& program);
Command add_schema(const Parser& app, const Program& program);
Command add_emit(const Parser& app, const Program& program);
Command add_import(const Parser& app, const Program& program);
Command add_show(const Parser& app, const Program& program);
Command add_doctor(const Parser& app, const Program& program);
Command add_explore(const Parser& app, const Program& program);
Command add_fuzz(const Parser& app, const Program& program);
Command add_promote(const Parser& app, const Program& program);
Command add_replay(const Parser& app, const Program& program);
Command add_compare(const Parser& app, const Program& program);
Command add_worst(const Parser& app, const Program& program);
Command add_calibrate(const Parser& app, const Program& program);
Command add_mutants(const Parser& app, const Program& program);
Command add_worker(const Parser& app, const Program& program);
Command add_holder(const Parser& app, const Program& program);

// Texts of options that say which cases are meant, shared by several subcommands.
struct SelectionTexts {
  std::vector<std::string> paths, candidates, tags, names, laws;
  std::string world, on, seed, delays;
  int ranks = 0;  // 0: any
};
void add_cases(const Parser& command, SelectionTexts& texts);  // whatever world they are for
void add_candidates(const Parser& command, SelectionTexts& texts);
void add_selection(const Parser& command, SelectionTexts& texts);  // and those of one world
Result<WorldKind> read_world(std::string_view option, const std::string& text);
// What --on was given: a world with devices.
Result<WorldKind> read_device_world(const std::string& text);
Result<Selection> read_selection(const SelectionTexts& texts);

// compare without --worlds.
struct CandidatesTexts {
  SelectionTexts selection;
  std::string by = "verdicts", known, markdown, json, isolate, silence, out = "out";
  int jobs = 1;
  int64_t random = 0;  // > 0: so many drawn cases instead of scenario files
};
void add_candidates_options(const Parser& command, CandidatesTexts& texts, Option not_with);
Result<Exit> compare_candidates(const CandidatesTexts& texts, const Program& program);
Result<Exit> compare_random(const CandidatesTexts& texts, const CampaignOptions& options, const std::vector<KnownDifference>& known,
                            const Engine& engine);

// How candidates are kept apart from the program, where --isolate says nothing: as plug-ins and Python need it. And what makes a worker.
Result<Isolation> read_isolation(const std::string& text, const Selection& selection);
// Code::usage where nobody would be left to see a hang.
Status read_workers(const std::string& silence, const Program& program, CampaignOptions& options);

std::map<std::string, std::string> environment_of_this_process();
// What launchers say there; none where they say nothing.
Result<std::optional<Launch>> launch_of_this_process();
// The run as one of the processes of a launch.
Result<Exit> run_launched(const Launch& launch, CampaignOptions options, const Program& program);

// What a run says on stdout: annotations where they are asked for, and its folder.
void print_result(const CampaignOptions& options, const RunResult& result);

Exit exit_of(const Status& failure);
// How workers are started, without and with what they are told; with a Python candidate among these, as a Python module.
std::vector<std::string> worker_words();
Result<std::vector<std::string>> worker_words(const std::vector<std::string>& candidates);
std::vector<std::string> worker_command(const std::string& silence);
Result<std::vector<std::string>> worker_command(const std::string& silence, const std::vector<std::string>& candidates);
// For commands that play candidates in their own process: with a Python candidate among these it becomes the program as a Python module,
// and does not come back.
Status host_candidates(const Program& program, const std::vector<std::string>& candidates);
Result<double> read_duration(const std::string& text);  // "500ms", "30s", "2m", "1h": seconds
Result<double> read_patience(const std::string& text);  // the same for --hang-after, which has a least
// "2026-11-29"; what the clock says in UTC where the text is empty.
Result<std::string> read_today(const std::string& text);
// A number, or a commit's 40 hexadecimal digits.
Result<uint64_t> read_seed(std::string_view option, const std::string& text);

}  // namespace reloadlab::sim
