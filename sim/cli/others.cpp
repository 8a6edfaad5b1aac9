// doctor, and the worker's side of isolation.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "sim/campaign/worker.h"
#include "sim/cli/commands.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

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

Command add_doctor(CLI::App& app, const Program& program) {
  CLI::App* parser = app.add_subcommand("doctor", "Say what this machine and this folder have for a run");
  return {parser, [&program] { return doctor(program.engine); }};
}

Command add_worker(CLI::App& app, const Program& program) {
  CLI::App* parser = app.add_subcommand("worker", "Serve cases to a campaign; not for people")->group("");
  auto silence = std::make_shared<std::string>("60s");
  parser->add_option("--hang-after", *silence, "As the campaign was told");
  return {parser, [&program, silence]() -> Result<Exit> {
            RELOADLAB_ASSIGN(const double seconds, read_patience(*silence));
            return static_cast<Exit>(serve_jobs(kWorkerSocket, program.engine, seconds));
          }};
}

}  // namespace reloadlab::sim
