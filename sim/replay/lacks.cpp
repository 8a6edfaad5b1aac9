#include "sim/replay/lacks.h"

#include <fmt/ranges.h>

#include "sim/world/module.h"

namespace reloadlab::sim {

std::string lacks(const Case& the_case) {
  const Requires& needs = the_case.needs;
  const bool on_gpu = the_case.world == WorldKind::cuda;
  if (needs.gpus > 0 && !on_gpu) return fmt::format("needs {} GPUs; they are driven in the world cuda", needs.gpus);
  if (needs.gpus > gpu_count()) return fmt::format("needs {} GPUs; there are {} here", needs.gpus, gpu_count());
  if (needs.vram_gib > 0) return fmt::format("needs {} GiB on a GPU; this program does not ask how much one has", needs.vram_gib);
  if (!needs.features.empty()) return fmt::format("needs {}, which this program does not have", fmt::join(needs.features, ", "));
  if (on_gpu && gpu_count() == 0) return "no GPU here";
  if (on_gpu && !the_case.series.empty() && the_case.ranks > gpu_count())
    return fmt::format("needs {} GPUs, one for each rank; there are {} here", the_case.ranks, gpu_count());
  if (on_gpu && the_case.collectives != Collectives()) return "needs collectives that are modelled: on GPUs they are NCCL's";
  return {};
}

}  // namespace reloadlab::sim
