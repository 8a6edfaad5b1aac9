// The subcommands about scenario files: list, lint, schema, emit.
#include <fmt/format.h>

#include <set>

#include "sim/campaign/expectation_book.h"
#include "sim/candidate/candidate.h"
#include "sim/candidate/python.h"
#include "sim/cli/commands.h"
#include "sim/report/list.h"
#include "sim/report/run_folder.h"
#include "sim/report/text.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

struct ListTexts {
  SelectionTexts selection;
  bool json = false;
  std::string out, today;
};

Result<Exit> list(const ListTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(const Selection selection, read_selection(texts.selection));
  RELOADLAB_ASSIGN(const Selected selected, select_cases(selection, program.engine));
  fmt::print("{}", texts.json ? list_json(selected.cases) : list_text(selected.cases));
  return Exit::held;
}

std::string counted(const std::vector<Case>& cases) {
  std::set<std::string> scenarios;
  for (const Case& one : cases) scenarios.insert(one.file);
  return fmt::format("{}, {}", plural(static_cast<int64_t>(scenarios.size()), "scenario"),
                     plural(static_cast<int64_t>(cases.size()), "case"));
}

// Whose library or release need not be here cannot be asked for.
std::string why_no_candidate(const std::string& name) {
  if (is_foreign(name)) return "";
  const Result<CandidateInfo> info = find_candidate(name);
  return info.ok() ? "" : info.status().message();
}

Result<Exit> check(const ListTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(const Selection selection, read_selection(texts.selection));
  RELOADLAB_ASSIGN(const Selected selected, select_cases(selection, program.engine));
  RELOADLAB_ASSIGN(const std::string today, read_today(texts.today));
  std::vector<std::string> laws = program.engine.law_ids();
  laws.insert(laws.end(), {std::string(kSurvives), std::string(kSameAgain)});
  std::vector<std::string> found = lint(selected.cases);
  for (std::string& line : lint_expectations(selected.all, laws, selection.paths, today, why_no_candidate))
    found.push_back(std::move(line));
  for (const std::string& line : found) fmt::print("{}\n", line);
  if (found.empty()) fmt::print(stderr, "{}: no complaint\n", counted(selected.cases));
  return found.empty() ? Exit::held : Exit::bad_scenario;
}

// Files that stand side by side: each case under a name of its own.
Status write_cases(const std::filesystem::path& folder, const std::vector<Case>& cases) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::set<std::string> names;
  for (const Case& one : cases) {
    Case written = alone(one);
    const std::string name = written.scenario;
    for (int number = 2; !names.insert(written.scenario).second; ++number) written.scenario = fmt::format("{}.{}", name, number);
    RELOADLAB_TRY(write_file(folder / (written.scenario + ".yaml"), emit(written)));
  }
  return {};
}

Result<Exit> emit_cases(const ListTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(const Selection selection, read_selection(texts.selection));
  RELOADLAB_ASSIGN(const Selected selected, select_cases(selection, program.engine));
  if (selected.cases.empty()) return Status(Code::usage, why_no_case(selection, selected));
  if (texts.out.empty() && selected.cases.size() > 1)
    return Status(Code::usage, fmt::format("{} cases are meant, the first is {}; name one with --name, or a folder for all with --out",
                                           selected.cases.size(), selected.cases.front().id()));
  if (texts.out.empty()) {
    fmt::print("{}", emit(alone(selected.cases.front())));
    return Exit::held;
  }
  RELOADLAB_TRY(write_cases(texts.out, selected.cases));
  fmt::print("{}\n", texts.out);
  return Exit::held;
}

}  // namespace

Command add_list(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("list", "Show the cases that scenario files expand into");
  auto texts = std::make_shared<ListTexts>();
  add_selection(parser, texts->selection);
  parser.add_flag("--json", texts->json, "For programs");
  return {parser, [texts, &program] { return list(*texts, program); }};
}

Command add_lint(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("lint", "Check scenario files, and the expectation files beside them, without running them");
  auto texts = std::make_shared<ListTexts>();
  add_selection(parser, texts->selection);
  parser.add_option("--today", texts->today, "The day that quarantines are held against (default: the clock's, UTC)")
      .type_name("YYYY-MM-DD");
  return {parser, [texts, &program] { return check(*texts, program); }};
}

Command add_emit(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("emit", "Write one case, with everything resolved, as a scenario file of its own");
  auto texts = std::make_shared<ListTexts>();
  add_selection(parser, texts->selection);
  parser.add_option("--out", texts->out, "Folder that gets a file for each case").type_name("DIR");
  return {parser, [texts, &program] { return emit_cases(*texts, program); }};
}

Command add_schema(const Parser& app, const Program&) {
  const Parser parser = app.add_subcommand("schema", "Print the grammar of scenario files as JSON Schema");
  struct Flags {
    bool markdown = false, expectations = false;
  };
  auto flags = std::make_shared<Flags>();
  Option markdown = parser.add_flag("--markdown", flags->markdown, "The list of keys, as in scenarios/README.md");
  parser.add_flag("--expectations", flags->expectations, "The list of keys of expectation files, as in scenarios/expectations/README.md")
      .excludes(markdown);
  return {parser, [flags]() -> Result<Exit> {
            fmt::print("{}", flags->expectations ? expectations_markdown() : flags->markdown ? schema_markdown() : json_schema());
            return Exit::held;
          }};
}

}  // namespace reloadlab::sim
