#pragma once
// From checked small sections to the Case: checkpoints, requirements, expectations, limits.
#include <string>
#include <utility>
#include <vector>

#include "sim/scenario/case.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {

struct WorldContext {
  std::string file;       // paths are relative to its folder
  std::string cache_dir;  // ${CACHE}
};

// These REQUIRE that the node passed check_value() as the section's value.
std::vector<std::pair<std::string, CheckpointSpec>> bind_checkpoints(const Node& node, const WorldContext& context,
                                                                     Diagnostics& diagnostics);
Requires bind_requires(const Node& node);
Expect bind_expect(const Node& node);
Limits bind_limits(const Node& node);

}  // namespace reloadlab::sim
