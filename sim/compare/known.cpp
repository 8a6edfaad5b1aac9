#include "sim/compare/known.h"

#include <algorithm>

namespace reloadlab::sim {
namespace {

struct Known {
  WorldKind refuses, takes;
  StepKind step;
  std::string_view message;  // a part of what the refusal says
  std::string_view why;
};

constexpr std::string_view unjoined = "was forked and never joined";
constexpr std::string_view ends_unjoined =
    "PyTorch 2.11 with NCCL 2.28 ends a capture though nobody waits for a broadcast in it; modelled devices refuse, as CUDA does for "
    "streams of one's own";

constexpr std::string_view ask_differently =
    "NCCL does not look whether ranks ask for the same: where they differ nothing is defined, and small messages arrive; modelled devices "
    "wait for ever";

constexpr std::string_view races =
    "what a race touches may sleep by then, and be no memory at all: real devices are lost with it; modelled ones go on, and tell the race";

constexpr Known table[] = {
    {WorldKind::sim, WorldKind::cuda, StepKind::capture, unjoined, ends_unjoined},
    {WorldKind::meta, WorldKind::cuda, StepKind::capture, unjoined, ends_unjoined},
};

bool fits(const Known& known, WorldKind world, const Status& status, WorldKind other, const Status& others) {
  return known.refuses == world && known.takes == other && others.ok() && status.message().find(known.message) != std::string::npos;
}

}  // namespace

std::string_view known_difference(WorldKind world, const Status& status, WorldKind other, const Status& others, StepKind step) {
  for (const Known& known : table)
    if (known.step == step && (fits(known, world, status, other, others) || fits(known, other, others, world, status))) return known.why;
  return {};
}

std::string_view known_difference(const Execution& endless) {
  const auto differ = [](const std::string& wait) { return wait.find("which cannot complete: ") != std::string::npos; };
  return std::ranges::any_of(endless.waits, differ) ? ask_differently : "";
}

std::string_view known_loss(const Execution& lost, const Execution& modelled) {
  const bool raced = std::ranges::any_of(modelled.ranks, [](const RankRun& run) { return !run.races.empty(); });
  return raced && lost.stopped.find("illegal memory access") != std::string::npos ? races : "";
}

}  // namespace reloadlab::sim
