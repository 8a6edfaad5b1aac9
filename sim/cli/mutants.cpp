// mutants: every mutant against scenarios, and which law killed which. A mutant that lives, or that nothing but a crash killed, fails.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "sim/cli/commands.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kFamily = "mutant@", kControl = "mutant@none";

struct MutantTexts {
  std::vector<std::string> paths{"scenarios/bugs"};
  std::string out = "out", silence = "10s";
  int jobs = 1;
};

// The laws that failed, each with the first case in which it did, in the order of the laws.
struct Kill {
  std::string law, where;
};
std::vector<Kill> kills_of(const RunResult& result, const std::string& mutant) {
  std::vector<Kill> kills;
  for (const CaseResult& one : result.cases) {
    if (one.candidate != mutant) continue;
    for (const LawResult& law : one.laws)
      if ((law.state == State::fail || law.state == State::hang) && std::ranges::find(kills, law.law, &Kill::law) == kills.end())
        kills.push_back({law.law, one.id()});
  }
  return kills;
}

// What is wrong with the outcome; empty when a law killed the mutant, and when the control lives.
std::string complaint(const std::string& mutant, const std::vector<Kill>& kills) {
  if (mutant == kControl) return kills.empty() ? "" : "the control is killed";
  if (kills.empty()) return "survives";
  const bool by_law = std::ranges::any_of(kills, [](const Kill& kill) { return kill.law != kSurvives; });
  return by_law ? "" : "killed by nothing but a crash";
}

bool print_matrix(const RunResult& result, const std::vector<std::string>& mutants) {
  std::vector<std::vector<std::string>> rows;
  bool fine = true;
  for (const std::string& mutant : mutants) {
    const std::vector<Kill> kills = kills_of(result, mutant);
    const std::string wrong = complaint(mutant, kills);
    fine = fine && wrong.empty();
    rows.push_back({mutant, wrong.empty() ? (kills.empty() ? "lives, as it should" : "killed") : "NOT FINE: " + wrong, "", ""});
    for (const Kill& kill : kills) rows.push_back({"", "", kill.law, kill.where});
  }
  fmt::print("{}", aligned(rows, "  "));
  return fine;
}

Result<Exit> mutants(const MutantTexts& texts, const Program& program) {
  CampaignOptions options{.jobs = texts.jobs, .isolation = Isolation::workers, .expectations = false, .out = texts.out};
  options.program = program.name;
  options.worker_command = {own_program(), "worker"};
  RELOADLAB_ASSIGN(options.silence_seconds, read_duration(texts.silence));
  options.selection.paths = texts.paths;
  for (const std::string& name : program.engine.candidate_names())
    if (name.starts_with(kFamily)) options.selection.candidates.push_back(name);
  if (options.selection.candidates.empty()) return Status(Code::usage, "this program has no mutants linked");
  // Their failures are what is wanted: nobody needs to read each.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nowhere(std::fopen("/dev/null", "w"), &std::fclose);
  if (!nowhere) return Status(Code::failed, "/dev/null cannot be opened");
  RELOADLAB_ASSIGN(const RunResult result, run_campaign(options, program.engine, {nowhere.get(), false}));
  const bool fine = print_matrix(result, options.selection.candidates);
  const Exit code = exit_code(result);
  if (code == Exit::defect || code == Exit::nothing_ran) return code;
  return fine ? Exit::held : Exit::failed;
}

}  // namespace

Command add_mutants(CLI::App& app, const Program& program) {
  CLI::App* parser = app.add_subcommand("mutants", "Run every mutant, isolated, and say which law killed which in which scenario");
  auto texts = std::make_shared<MutantTexts>();
  parser->add_option("paths", texts->paths, "Scenario files and folders")->type_name("PATH")->capture_default_str();
  parser->add_option("--jobs", texts->jobs, "Worker processes side by side")->check(CLI::Range(1, 1024))->type_name("N");
  parser->add_option("--hang-after", texts->silence, "How long without a step beginning is a hang: 500ms, 30s, 2m, 1h")->type_name("TIME");
  parser->add_option("--out", texts->out, "Folder that gets the run's folder")->type_name("DIR");
  return {parser, [texts, &program] { return mutants(*texts, program); }};
}

}  // namespace reloadlab::sim
