// replay: one case again, from the word or the file that a campaign left.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "reference/base/read_file.h"
#include "sim/cli/fuzz.h"
#include "sim/fuzz/entry.h"
#include "sim/fuzz/generate.h"
#include "sim/report/console.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

struct ReplayTexts {
  std::string what;
  std::vector<std::string> candidates;
  std::string out;
};

Result<Exit> replay_file(const ReplayTexts& texts, const std::string& text, const Program& program) {
  CampaignOptions options{.expectations = false, .out = texts.out.empty() ? "out" : texts.out, .program = program.name};
  options.selection.paths = {texts.what};
  options.selection.candidates = texts.candidates;
  if (const std::string named = fuzz::candidate_in(text); !named.empty() && texts.candidates.empty())
    options.selection.candidates = {named};
  options.isolation = Isolation::workers;  // it may be kept for what brings a process down
  RELOADLAB_TRY(read_workers("", program, options));
  RELOADLAB_ASSIGN(const RunResult result, run_campaign(options, program.engine, {stderr, ::isatty(STDERR_FILENO) == 1}));
  print_result(options, result);
  return exit_code(result);
}

Result<Exit> replay_token(const ReplayTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(const fuzz::Token token, fuzz::read_token(texts.what));
  if (!texts.out.empty())
    return Status(Code::usage, "--out is for files, expected `replay TOKEN > case.yaml`, then `replay case.yaml --out DIR`");
  const std::string candidate = texts.candidates.empty() ? token.candidate : texts.candidates.front();
  RELOADLAB_ASSIGN(const EngineCandidate known, program.engine.candidate(candidate));
  RELOADLAB_ASSIGN(const Engine apart, engine_apart(program, known.name));
  fuzz::Choices choices(token.answers);
  RELOADLAB_ASSIGN(Case the_case, fuzz::generate(token.system, choices));
  the_case.world = token.world;
  RunResult result{.name = "replay", .laws = program.engine.laws};
  result.laws.push_back({std::string(kSurvives), std::string(kSurvivesSentence)});
  result.run.program = program.name;
  result.cases.push_back(attempt({.the_case = the_case, .candidate = known.name}, apart).result);
  fmt::print(stderr, "{}{}", attention_blocks(result.cases.front(), result, {.colour = ::isatty(STDERR_FILENO) == 1}), law_table(result));
  fmt::print("{}", emit(the_case));
  return exit_code(result);
}

Result<Exit> replay_action(const ReplayTexts& texts, const Program& program) {
  std::error_code too_long;  // for a name: then it is a token for sure
  if (!std::filesystem::exists(texts.what, too_long)) return replay_token(texts, program);
  RELOADLAB_ASSIGN(const std::string text, read_file(texts.what));
  return replay_file(texts, text, program);
}

}  // namespace

Command add_replay(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("replay", "Play a case again that `fuzz` has found, from its token or its file");
  auto texts = std::make_shared<ReplayTexts>();
  parser.add_option("what", texts->what, "A token, whose case goes to standard output; or a scenario file")
      .required()
      .type_name("TOKEN|FILE");
  parser.add_option("--candidate", texts->candidates, "Another implementation than the one it was found with")
      .type_name("NAME")
      .allow_extra_args(false);
  parser.add_option("--out", texts->out, "Folder that gets the run's folder, of a file. Default: out").type_name("DIR");
  return {parser, [texts, &program] { return replay_action(*texts, program); }};
}

}  // namespace reloadlab::sim
