#include "sim/world/world.h"

#include "sim/world/cpu/cpu_world.h"
#include "sim/world/meta/meta_world.h"
#include "sim/world/modelled/modelled_world.h"
#include "sim/world/module.h"

namespace reloadlab::sim {

Result<std::unique_ptr<World>> make_world(const WorldRequest& request) {
  switch (request.kind) {
    case WorldKind::cpu:
      return std::unique_ptr<World>(std::make_unique<CpuWorld>(request.ranks, request.local, request.poison));
    case WorldKind::meta:
      if (!request.devices) return std::unique_ptr<World>(std::make_unique<MetaWorld>(request.ranks, request.local));
      [[fallthrough]];
    case WorldKind::sim:
      return std::unique_ptr<World>(
          std::make_unique<modelled::ModelledWorld>(request, request.rates ? modelled::timed() : modelled::round_robin()));
    case WorldKind::cuda:
      break;
  }
  if (request.devices && !request.seat) return Status(Code::unsupported, "series in the world cuda need a process for each rank");
  return make_from_module(request);
}

}  // namespace reloadlab::sim
