// promote: what was found failing and keeps every law now becomes a regression case.
#include <fmt/format.h>

#include "sim/cli/fuzz.h"
#include "sim/fuzz/store.h"
#include "sim/fuzz/token.h"

namespace reloadlab::sim {
namespace {

struct PromoteTexts {
  std::vector<std::string> files;
  std::string candidate, store = "out/fuzz";
};

Result<std::vector<fuzz::Kept>> asked_for(const PromoteTexts& texts) {
  if (texts.files.empty()) return fuzz::Store(texts.store).entries(fuzz::Shelf::failing);
  std::vector<fuzz::Kept> all;
  for (const std::string& file : texts.files) {
    const std::filesystem::path path(file);
    if (path.parent_path().filename() != fuzz::folder_of(fuzz::Shelf::failing))
      return Status(Code::usage, fmt::format("{}: expected a file of a store's failing/", file));
    RELOADLAB_ASSIGN(fuzz::Kept kept, fuzz::read_kept(path));
    all.push_back(std::move(kept));
  }
  return all;
}

// Empty where it keeps every law now.
Result<std::string> what_fails(const fuzz::Kept& kept, const Program& program) {
  RELOADLAB_ASSIGN(const Engine apart, engine_apart(program, kept.entry.candidate));
  RELOADLAB_ASSIGN(const Case the_case, fuzz::case_of(kept.entry, kept.file.string()));
  const fuzz::Observation seen = fuzz::observe(the_case, kept.entry.candidate, apart, kept.entry.cause.law == kSameAgain);
  if (seen.end != End::judged) return "cannot be played: " + seen.reason;
  return seen.causes.empty() ? "" : fuzz::text(seen.causes.front());
}

Result<Exit> promote_action(const PromoteTexts& texts, const Program& program) {
  RELOADLAB_ASSIGN(std::vector<fuzz::Kept> all, asked_for(texts));
  int64_t left = 0;
  for (fuzz::Kept& kept : all) {
    if (!texts.candidate.empty()) kept.entry.candidate = texts.candidate;
    RELOADLAB_ASSIGN(const EngineCandidate known, program.engine.candidate(kept.entry.candidate));
    kept.entry.candidate = known.name;
    if (Result<fuzz::Token> token = fuzz::read_token(kept.entry.token); token.ok()) {
      token->candidate = known.name;
      kept.entry.token = fuzz::write_token(*token);
    }
    RELOADLAB_ASSIGN(const std::string failing, what_fails(kept, program));
    if (!failing.empty()) {
      fmt::print(stderr, "stays     {}   {}: {}\n", kept.file.string(), known.name, failing), ++left;
      continue;
    }
    const fuzz::Store store(kept.file.parent_path().parent_path());
    RELOADLAB_ASSIGN(const auto file, store.promote(kept));
    fmt::print("{}\n", file.string());
  }
  if (all.empty()) {
    fmt::print(stderr, "{}: nothing is in {}\n", texts.store, fuzz::folder_of(fuzz::Shelf::failing));
    return Exit::nothing_ran;
  }
  return left > 0 ? Exit::failed : Exit::held;
}

}  // namespace

Command add_promote(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("promote", "Move what `fuzz` found and what was mended since from failing/ to regression/");
  auto texts = std::make_shared<PromoteTexts>();
  parser.add_option("files", texts->files, "Files of a store's failing/. Default: all of --store").type_name("FILE");
  parser.add_option("--store", texts->store, "Folder that `fuzz` keeps its findings in").capture_default_str().type_name("DIR");
  parser.add_option("--candidate", texts->candidate, "The implementation in which they are mended, where it has another name now")
      .type_name("NAME");
  return {parser, [texts, &program] { return promote_action(*texts, program); }};
}

}  // namespace reloadlab::sim
