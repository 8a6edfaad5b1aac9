#include "sim/world/world.h"

#include "sim/world/cpu/cpu_world.h"
#include "sim/world/meta/meta_world.h"
#include "sim/world/modelled/modelled_world.h"

namespace reloadlab::sim {

Result<std::unique_ptr<World>> make_world(WorldKind kind, int ranks, std::vector<int> local, int poison) {
  switch (kind) {
    case WorldKind::cpu:
      return std::unique_ptr<World>(std::make_unique<CpuWorld>(ranks, std::move(local), poison));
    case WorldKind::meta:
      return std::unique_ptr<World>(std::make_unique<MetaWorld>(ranks, std::move(local)));
    case WorldKind::sim:
      return std::unique_ptr<World>(std::make_unique<modelled::ModelledWorld>(ranks, std::move(local), poison, modelled::round_robin()));
    case WorldKind::cuda:
      break;
  }
  return Status(Code::unsupported, "the world " + std::string(world_name(kind)) + " is not part of this build");
}

}  // namespace reloadlab::sim
