#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "sim/cli/commands.h"
#include "sim/cli/machine.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

std::string_view state_text(Examined::State state) {
  constexpr std::string_view kTexts[] = {"ok", "none", "MISSING", "WRONG"};
  return kTexts[static_cast<size_t>(state)];
}

Examined wanted(bool there, std::string what, std::string says) {
  return {there ? Examined::State::ok : Examined::State::missing, std::move(what), std::move(says)};
}

// Mutants are many, and `mutants` tells them.
std::string candidates_text(std::vector<std::string> names) {
  const auto mutants = std::erase_if(names, [](const std::string& name) { return name.starts_with("mutant@"); });
  return fmt::format("{}{}", fmt::join(names, " "), mutants > 0 ? fmt::format(", and {} mutants", mutants) : "");
}

// What a run needs of this program and this folder.
std::vector<Examined> examine_surroundings(const Engine& engine) {
  namespace fs = std::filesystem;
  std::error_code error;
  const char* home = std::getenv("HOME");
  const char* cache = std::getenv("RELOADLAB_CACHE");
  const fs::path models = fs::path(cache ? cache : std::string(home ? home : "") + "/.cache/reloadlab") / "models";
  const bool writable = ::access(".", W_OK) == 0;
  return {wanted(!engine.laws.empty(), "laws", fmt::format("{}", engine.laws.size())),
          wanted(!engine.candidate_names().empty(), "candidates", candidates_text(engine.candidate_names())),
          wanted(fs::is_directory("scenarios", error), "scenarios", "./scenarios, what `run` runs when nothing is named"),
          wanted(fs::is_directory(models, error), "models", models.string() + ", where ci/setup puts real checkpoints"),
          wanted(writable, "out", "./out, where runs leave their files")};
}

Result<Exit> doctor(const Engine& engine) {
  std::vector<Examined> all = examine_machine(look_at_machine());
  std::vector<Examined> surroundings = examine_surroundings(engine);
  all.insert(all.end(), surroundings.begin(), surroundings.end());
  std::vector<std::vector<std::string>> rows;
  for (const Examined& one : all) rows.push_back({std::string(state_text(one.state)), one.what, one.says});
  fmt::print("{}", aligned(rows, "  "));
  const bool fine = std::all_of(all.begin(), all.end(), [](const Examined& one) { return one.state <= Examined::State::none; });
  return fine ? Exit::held : Exit::failed;
}

Result<Exit> describe() {
  fmt::print("{}", machine_json(look_at_machine()));
  return Exit::held;
}

}  // namespace

Command add_doctor(const Parser& app, const Program& program) {
  const Parser parser =
      app.add_subcommand("doctor", "Say what this machine and this folder have for a run, and what to do about what is wrong");
  auto json = std::make_shared<bool>(false);
  parser.add_flag("--json", *json, "The machine alone, as JSON: devices and versions");
  return {parser, [&program, json] { return *json ? describe() : doctor(program.engine); }};
}

}  // namespace reloadlab::sim
