// The worker's side of isolation.
#include "sim/campaign/worker.h"

#include "sim/cli/commands.h"

namespace reloadlab::sim {

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
