#include "sim/world/world.h"

#include "sim/world/cpu/cpu_world.h"
#include "sim/world/meta/meta_world.h"

namespace reloadlab::sim {

Result<std::unique_ptr<World>> make_world(WorldKind kind, int ranks, int poison) {
  switch (kind) {
    case WorldKind::cpu:
      return std::unique_ptr<World>(std::make_unique<CpuWorld>(ranks, poison));
    case WorldKind::meta:
      return std::unique_ptr<World>(std::make_unique<MetaWorld>(ranks));
    case WorldKind::sim:
    case WorldKind::cuda:
      break;
  }
  return Status(Code::unsupported, "the world " + std::string(world_name(kind)) + " is not part of this build");
}

}  // namespace reloadlab::sim
