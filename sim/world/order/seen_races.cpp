#include "sim/world/order/seen_races.h"

#include <fmt/format.h>

namespace reloadlab::sim {

std::vector<SeenRace> seen_races(const RaceFinder& finder, const std::function<int(ActorId)>& rank_of,
                                 const std::function<std::string(ActorId)>& name_of) {
  const auto access = [&](const AccessSite& site) {
    return RacingAccess{.rank = rank_of(site.actor),
                        .stream = name_of(site.actor),
                        .operation = site.operation,
                        .about = site.label ? *site.label : About(),
                        .writes = site.write};
  };
  std::vector<SeenRace> seen;
  for (const Race& race : finder.races()) seen.push_back({access(race.first), access(race.second), race.turned()});
  return seen;
}

LabelPtr replayed(const LabelPtr& replay, const LabelPtr& captured) {
  if (!replay || !captured) return replay;
  return std::make_shared<const About>(
      About{.text = fmt::format("{} of {}", replay->text, captured->text), .step = replay->step, .model = replay->model});
}

}  // namespace reloadlab::sim
