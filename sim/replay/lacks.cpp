#include "sim/replay/lacks.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

constexpr int kFp8Capability = 89;

// Of each of the first so many GPUs; ranks that do not talk share one.
int64_t gpus_used(const Case& the_case) {
  return std::max<int64_t>({1, the_case.needs.gpus, the_case.series.empty() ? 1 : the_case.ranks});
}

std::string there_text(int64_t count) { return count == 1 ? "there is 1 here" : fmt::format("there are {} here", count); }

std::string what_is_asked(const Requires& needs) {
  std::vector<std::string> asked;
  if (needs.gpus > 0) asked.push_back(needs.gpus == 1 ? "1 GPU" : fmt::format("{} GPUs", needs.gpus));
  if (needs.vram_gib > 0) asked.push_back(fmt::format("{} GiB on a GPU", needs.vram_gib));
  if (needs.capability > 0) asked.push_back(fmt::format("compute capability {}", capability_text(needs.capability)));
  asked.insert(asked.end(), needs.features.begin(), needs.features.end());
  return fmt::format("{}", fmt::join(asked, ", "));
}

std::string one_lacks(const Requires& needs, const Gpu& gpu) {
  if (gpu.memory_bytes < needs.vram_gib << 30) return fmt::format("needs {} GiB", needs.vram_gib);
  if (gpu.capability < needs.capability) return fmt::format("needs compute capability {}", capability_text(needs.capability));
  const bool fp8 = std::find(needs.features.begin(), needs.features.end(), "fp8") != needs.features.end();
  return fp8 && gpu.capability < kFp8Capability ? "needs fp8" : "";
}

std::string gpus_lack(const Case& the_case, const Gpus& there) {
  const Requires& needs = the_case.needs;
  const auto count = static_cast<int64_t>(there.here.size());
  if (count == 0) return fmt::format("no GPU here: {}", there.why_none);
  if (needs.gpus > count) return fmt::format("needs {} GPUs; {}", needs.gpus, there_text(count));
  if (gpus_used(the_case) > count) return fmt::format("needs {} GPUs, one for each rank; {}", the_case.ranks, there_text(count));
  for (int64_t index = 0; index < gpus_used(the_case); ++index) {
    const Gpu& gpu = there.here[static_cast<size_t>(index)];
    if (const std::string lacking = one_lacks(needs, gpu); !lacking.empty())
      return fmt::format("{}; GPU {} is {}", lacking, index, gpu_text(gpu));
  }
  const bool peers = std::find(needs.features.begin(), needs.features.end(), "peer_access") != needs.features.end();
  if (peers && count < 2) return "needs peer_access; there is 1 GPU here";
  if (peers && !there.strangers.empty())
    return fmt::format("needs peer_access; GPUs {} do not read each other's memory", fmt::join(there.strangers, ", "));
  return {};
}

bool captures(const std::vector<Step>& steps) {
  return std::ranges::any_of(steps, [](const Step& step) { return step.kind == StepKind::capture || captures(step.body); });
}

std::string no_such_source(const Case& the_case) {
  const WorldKind world = the_case.world;
  if (the_case.brings_from(LoadPlan::Source::stream) && world != WorldKind::sim && world != WorldKind::cuda)
    return "loads come by a stream, which the worlds sim and cuda have";
  if (the_case.brings_from(LoadPlan::Source::ipc) && world != WorldKind::cpu && world != WorldKind::cuda)
    return "loads come in memory of another process, which the worlds cpu and cuda have";
  return {};
}

}  // namespace

std::string lacks(const Case& the_case, const Gpus& there) {
  const std::string asked = what_is_asked(the_case.needs);
  const bool graphs = the_case.world == WorldKind::sim || the_case.world == WorldKind::cuda;
  if (the_case.world == WorldKind::cpu && !the_case.series.empty()) return "series need devices, and it has none";
  if (!graphs && the_case.series.empty() && captures(the_case.steps)) return "needs graphs, which the worlds sim and cuda have";
  if (const std::string why = no_such_source(the_case); !why.empty()) return why;
  if (the_case.allocator != GpuAllocator::environment && the_case.world != WorldKind::cuda)
    return "asks for an allocator of GPUs, which the world cuda has";
  if (the_case.world == WorldKind::meta && the_case.sleeps()) return "needs memory that can be unmapped, and it has none";
  if (the_case.world != WorldKind::cuda) return asked.empty() ? "" : fmt::format("needs {}; GPUs are driven in the world cuda", asked);
  if (the_case.collectives != Collectives()) return "needs collectives that are modelled: on GPUs they are NCCL's";
  return gpus_lack(the_case, there);
}

}  // namespace reloadlab::sim
