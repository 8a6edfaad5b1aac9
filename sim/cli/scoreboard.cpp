// compare without --worlds: candidates side by side.
#include "sim/compare/scoreboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "reference/base/nearest.h"
#include "sim/cli/commands.h"
#include "sim/report/run_folder.h"

namespace reloadlab::sim {
namespace {

Result<bool> by_events(const std::string& text) {
  constexpr std::string_view kNames[] = {"verdicts", "events"};
  if (text == kNames[0] || text == kNames[1]) return text == kNames[1];
  return Status(Code::usage, fmt::format("--by: \"{}\" is neither verdicts nor events{}", text, did_you_mean(text, kNames)));
}

Result<CampaignOptions> read_scoreboard_options(const CandidatesTexts& texts, const Program& program) {
  CampaignOptions options{.jobs = texts.jobs, .expectations = false, .quiet = true, .out = texts.out, .program = program.name};
  RELOADLAB_ASSIGN(options.selection, read_selection(texts.selection));
  if (options.selection.candidates.size() == 1)
    return Status(Code::usage, "compare needs two candidates or more, or --worlds: one alone is compared with nothing");
  for (const std::string& file : {texts.markdown, texts.json}) RELOADLAB_TRY(may_write(file));
  RELOADLAB_ASSIGN(options.isolation, read_isolation(texts.isolate, options.selection));
  RELOADLAB_TRY(read_workers(texts.silence, program, options));
  return options;
}

Status write_files(const CandidatesTexts& texts, const std::vector<Scoreboard>& boards, const std::vector<Differing>* differential) {
  if (!texts.markdown.empty())
    RELOADLAB_TRY(write_file(texts.markdown, scoreboard_markdown(boards) + (differential ? differential_markdown(*differential) : "")));
  if (texts.json.empty()) return {};
  auto json = scoreboard_json(boards);
  if (differential) json["differential"] = differential_json(*differential);
  return write_file(texts.json, json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

// All that is not the same, and how often they were.
Exit print_differential(const std::vector<Differing>& all) {
  std::map<std::string_view, int> counts;
  for (const Differing& one : all) {
    if (++counts[word(one)]; word(one) != "the same") fmt::print("{}", differing_text(one));
  }
  fmt::print(stderr, "{} the same, {} differ as known, {} differ, {} not compared\n", counts["the same"], counts["known"],
             counts["differs"], counts["not compared"]);
  if (counts["differs"] > 0) return Exit::failed;
  return counts["the same"] + counts["known"] > 0 ? Exit::held : Exit::nothing_ran;
}

// Whether nothing is compared, for each candidate is alone with its system.
bool tell_alone(const std::vector<Scoreboard>& boards) {
  for (const Scoreboard& board : boards)
    if (board.candidates.size() == 1)
      fmt::print(stderr, "{} is compared with nothing: no other candidate is of system {}\n", board.candidates[0], board.system);
  return std::ranges::all_of(boards, [](const Scoreboard& board) { return board.candidates.size() == 1; });
}

}  // namespace

Result<Exit> compare_candidates(const CandidatesTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(const bool events, by_events(texts.by));
  RELOADLAB_ASSIGN(CampaignOptions options, read_scoreboard_options(texts, program));
  std::vector<KnownDifference> known;
  if (!texts.known.empty() && !events && texts.random == 0)
    return Status(Code::usage, "--known needs --by events: it is about what candidates do");
  if (!texts.known.empty()) {
    RELOADLAB_ASSIGN(known, read_known_differences(texts.known));
  }
  if (texts.random > 0) return compare_random(texts, options, known, program.engine);
  Differential differential;
  if (events) options.on_behaviour = [&](const Answer& answer) { differential.add(answer); };
  RELOADLAB_ASSIGN(const RunResult result, run_campaign(options, program.engine, {stderr, ::isatty(STDERR_FILENO) == 1}));
  if (result.cases.empty()) return Exit::nothing_ran;
  const std::vector<std::string> stale = mark_known(known, texts.known, differential.all());
  const std::vector<Scoreboard> boards = scoreboards(result);
  const Exit came_to = exit_code(result);
  if (!events) fmt::print(stderr, "{}", scoreboard_text(boards));
  RELOADLAB_TRY(write_files(texts, boards, events ? &differential.all() : nullptr));
  const bool alone = tell_alone(boards);
  if (!events && alone) return Exit::nothing_ran;
  const Exit said = events ? print_differential(differential.all()) : turned_red(boards) ? Exit::failed : Exit::held;
  fmt::print(stderr, "{}\n", result.run.folder);
  for (const std::string& line : stale) fmt::print(stderr, "{}\n", line);
  if (!stale.empty() && said == Exit::held) return Exit::unexpected_pass;
  return came_to == Exit::defect || came_to == Exit::nothing_ran ? came_to : said;
}

void add_candidates_options(const Parser& command, CandidatesTexts& texts, Option not_with) {
  const auto add = [&](Option option) { option.excludes(not_with); };
  add(command.add_option("--by", texts.by, "verdicts: the scoreboard; events: whether they do the same, and where they first differ")
          .type_name("verdicts|events")
          .capture_default_str());
  add(command.add_option("--random", texts.random, "So many drawn cases, from --seed on, by --by events; no scenario files")
          .range(1, int64_t{1} << 32)
          .excludes(command.option("paths"))
          .type_name("N"));
  add(command.add_option("--known", texts.known, "Differences that somebody has looked at, with their reasons (--by events, --random)")
          .type_name("FILE"));
  add(command.add_option("--markdown", texts.markdown, "Write the scoreboard as Markdown").type_name("FILE"));
  add(command.add_option("--json", texts.json, "Write the scoreboard as data").type_name("FILE"));
  add(command.add_option("--jobs", texts.jobs, "Worker processes side by side").range(1, 1024).type_name("N"));
  add(command.add_flag("--isolate{workers}", texts.isolate, "As `run` has it"));
  add(command.add_option("--hang-after", texts.silence, "As `run` has it").type_name("TIME"));
  add(command.add_option("--out", texts.out, "Folder that gets the run's folder").type_name("DIR"));
}

}  // namespace reloadlab::sim
