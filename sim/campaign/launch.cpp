// What launchers say in the environment.
#include <fmt/format.h>

#include "sim/campaign/launched.h"
#include "sim/campaign/variables.h"

namespace reloadlab::sim {
namespace {

Result<int> number(const Variables& variables, const std::string& name, int least, int most) {
  return number_in(variables, name, least, most, fmt::format("RANK is set, and so must {} be", name));
}

}  // namespace

Result<std::optional<Launch>> read_launch(const Variables& variables) {
  constexpr int ranks_most = 4096, port_most = 65535;
  if (!variables.contains("RANK")) return std::optional<Launch>();
  Launch launch;
  RELOADLAB_ASSIGN(launch.ranks, number(variables, "WORLD_SIZE", 1, ranks_most));
  RELOADLAB_ASSIGN(launch.rank, number(variables, "RANK", 0, launch.ranks - 1));
  if (launch.ranks == 1) return std::optional<Launch>();
  RELOADLAB_ASSIGN(launch.local, number(variables, "LOCAL_RANK", 0, launch.ranks - 1));
  RELOADLAB_ASSIGN(launch.port, number(variables, "MASTER_PORT", 1, port_most));
  const auto host = variables.find("MASTER_ADDR");
  if (host == variables.end() || host->second.empty()) return Status(Code::usage, "RANK is set, and so must MASTER_ADDR be");
  launch.host = host->second;
  const auto agent = variables.find("TORCHELASTIC_USE_AGENT_STORE");
  launch.is_open = agent != variables.end() && agent->second == "True";
  if (const auto attempt = variables.find("TORCHELASTIC_RESTART_COUNT"); attempt != variables.end()) launch.attempt = attempt->second;
  return std::optional(launch);
}

}  // namespace reloadlab::sim
