// compare: the same cases by several candidates, or in two worlds, and what these agree on.
#include "sim/compare/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "reference/base/nearest.h"
#include "sim/cli/commands.h"
#include "sim/cli/rates_file.h"

namespace reloadlab::sim {
namespace {

struct CompareTexts {
  std::vector<std::string> worlds;  // none: candidates are compared
  std::string rates;
  CandidatesTexts candidates;
};

std::string_view word(Row::State state) {
  switch (state) {
    case Row::State::agrees:
      return "agrees";
    case Row::State::known:
      return "known";
    case Row::State::differs:
      return "differs";
    case Row::State::left_out:
      return "-";
  }
  return "";
}

std::string_view word(const Compared& one) {
  if (!one.left_out.empty()) return "not compared";
  return differs(one) ? "differs" : "agrees";
}

void print(const Compared& one) {
  fmt::print("{}  {}  {}\n", one.id, one.candidate, word(one));
  if (!one.left_out.empty()) fmt::print("  {}\n", one.left_out);
  for (const Row& row : one.rows) fmt::print("  {:<8}{:<14}{}\n", word(row.state), row.what, row.says);
  std::fflush(stdout);
}

Result<Exit> compare_in_worlds(const CompareTexts& texts, const Program& program) {
  CompareOptions options;
  RELOADLAB_ASSIGN(options.selection, read_selection(texts.candidates.selection));
  if (texts.worlds.size() != 2 || texts.worlds[0] == texts.worlds[1])
    return Status(Code::usage,
                  fmt::format("--worlds: expected two worlds that differ, as in sim,cuda; got {}", fmt::join(texts.worlds, ",")));
  for (size_t i = 0; i < 2; ++i) {
    RELOADLAB_ASSIGN(options.worlds[i], read_world("--worlds", texts.worlds[i]));
  }
  if (!texts.rates.empty()) {
    RELOADLAB_ASSIGN(options.rates, read_rates(texts.rates));
  }
  RELOADLAB_TRY(host_candidates(program, options.selection.candidates));
  std::map<std::string_view, int> counts;
  RELOADLAB_TRY(compare_worlds(options, program.engine, [&](const Compared& one) {
    ++counts[word(one)];
    print(one);
  }));
  fmt::print(stderr, "{} agree, {} differ, {} not compared\n", counts["agrees"], counts["differs"], counts["not compared"]);
  if (counts["differs"] > 0) return Exit::failed;
  return counts["agrees"] > 0 ? Exit::held : Exit::nothing_ran;
}

Result<Exit> compare(const CompareTexts& texts, const Program& program) {
  if (!texts.worlds.empty()) return compare_in_worlds(texts, program);
  if (!texts.rates.empty()) return Status(Code::usage, "--rates needs --worlds: candidates side by side are played at no rates");
  return compare_candidates(texts.candidates, program);
}

}  // namespace

Command add_compare(const Parser& app, const Program& program) {
  const Parser parser =
      app.add_subcommand("compare", "Play the same cases by several candidates, or in two worlds, and print what these agree on");
  auto texts = std::make_shared<CompareTexts>();
  CandidatesTexts& candidates = texts->candidates;
  add_cases(parser, candidates.selection);
  parser
      .add_option("--candidate", candidates.selection.candidates,
                  "Implementation; may be given again. The first is what others are held against. Default: the system's profiles")
      .type_name("NAME|FILE.so")
      .allow_extra_args(false);
  Option worlds = parser.add_option("--worlds", texts->worlds, "Compare two of cpu, meta, sim, cuda for each candidate")
                      .delimiter(',')
                      .allow_extra_args(false)
                      .type_name("WORLD,WORLD");
  parser.add_option("--rates", texts->rates, "What things take on modelled devices: a name as h200, or a file of `reloadlab calibrate`")
      .type_name("NAME|FILE");
  add_candidates_options(parser, candidates, worlds);
  return {parser, [texts, &program] { return compare(*texts, program); }};
}

}  // namespace reloadlab::sim
