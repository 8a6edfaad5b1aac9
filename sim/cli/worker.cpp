// What this program starts of itself: the worker's side of isolation, and who holds memory for another.
#include "sim/campaign/worker.h"

#include "sim/cli/commands.h"
#include "sim/world/module.h"

namespace reloadlab::sim {

Command add_worker(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("worker", "Serve cases to a campaign; not for people").group("");
  auto silence = std::make_shared<std::string>("60s");
  parser.add_option("--hang-after", *silence, "As the campaign was told");
  return {parser, [&program, silence]() -> Result<Exit> {
            RELOADLAB_ASSIGN(const double seconds, read_patience(*silence));
            return static_cast<Exit>(serve_jobs(kWorkerSocket, program.engine, seconds));
          }};
}

Command add_holder(const Parser& app, const Program&) {
  const Parser parser = app.add_subcommand("holder", "Hold memory of a GPU for another process; not for people").group("");
  auto device = std::make_shared<int>(0);
  parser.add_option("device", *device, "The GPU").required();
  return {parser, [device]() -> Result<Exit> {
            RELOADLAB_TRY(hold_memory(*device));
            return Exit::held;
          }};
}

}  // namespace reloadlab::sim
