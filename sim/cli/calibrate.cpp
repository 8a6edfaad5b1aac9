// calibrate: what things take on the GPUs here, for modelled devices that are to predict them.
#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/cli/rates_file.h"

namespace reloadlab::sim {
namespace {

// What one GPU alone cannot tell is that of the device in the table that it is like.
modelled::Rates nearest_rates(const std::string& gpu) {
  return *modelled::rates_of(gpu.find("H100") == std::string::npos ? "h200" : "h100");
}

Result<Exit> calibrate() {
  if (gpus().here.empty()) {
    fmt::print(stderr, "nothing ran: no GPU here: {}\n", gpus().why_none);
    return Exit::nothing_ran;
  }
  RELOADLAB_ASSIGN(const Calibration measured, sim::calibrate(nearest_rates(gpus().here.front().name)));
  fmt::print("{}", rates_json(gpus(), measured));
  return Exit::held;
}

}  // namespace

Command add_calibrate(const Parser& app, const Program&) {
  const Parser parser = app.add_subcommand("calibrate", "Measure what things take on the GPUs here, as a file for --rates, on stdout");
  return {parser, [] { return calibrate(); }};
}

}  // namespace reloadlab::sim
