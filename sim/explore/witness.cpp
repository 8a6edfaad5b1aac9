#include "sim/explore/witness.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/explore/flow.h"
#include "sim/explore/follow.h"

namespace reloadlab::sim::explore {
namespace {

using modelled::actor_name;
using modelled::Turn;

// The turns of each stream, counted as its clock counts them.
class Ticks {
 public:
  void take(const Turn& turn) {
    if (turn.takes_place) return;
    for (ActorId actor : turn.footprint.actors) ++ticks_[actor];
  }
  uint32_t of(ActorId actor) const {
    auto found = ticks_.find(actor);
    return found == ticks_.end() ? 0 : found->second;
  }

 private:
  std::map<ActorId, uint32_t> ticks_;
};

// A run in which the two accesses have changed places, and their turns there.
struct Reversed {
  Execution run;
  int64_t first, second;
};

// Runs as before up to the first access, which then waits for the second one.
std::optional<Reversed> reversed(const Program& program, const Execution& run, const Race& race, bool let_go) {
  const Turn& held = run.turns[static_cast<size_t>(race.first.turn)];
  Ticks ticks;
  int64_t turns = 0, first = -1, second = -1;
  auto told = [&](const Turn& turn) {
    ticks.take(turn);
    if (first < 0 && ticks.of(race.first.actor) >= race.first.tick) first = turns;
    if (second < 0 && ticks.of(race.second.actor) >= race.second.tick) second = turns;
    ++turns;
  };
  auto allowed = [&](ActorId actor) {
    bool holding = turns >= race.first.turn && first < 0 && (second < 0 || !let_go);
    return !holding || actor != held.actor;
  };
  Execution other = run_with(program, follow(order_of(run), allowed, told));
  if (first < 0 || second < 0 || first <= second) return std::nullopt;
  return Reversed{std::move(other), first, second};
}

const Clock* clock_of(const Execution& run, const AccessSite& site) {
  const Turn& turn = run.turns[static_cast<size_t>(site.turn)];
  for (size_t i = 0; i < turn.footprint.actors.size(); ++i)
    if (turn.footprint.actors[i] == site.actor) return &turn.clocks[i];
  return nullptr;
}

std::string named(const Execution& run, const AccessSite& site) {
  return fmt::format("{} ({}, {})", actor_name(site.actor, run.outcome.ranks), site.operation, site.write ? "writes" : "reads");
}

// The last turn of a stream that both come after.
std::string common_ancestor(const Execution& run, const Race& race) {
  const Clock *first = clock_of(run, race.first), *second = clock_of(run, race.second);
  Ticks ticks;
  std::string last = "nothing";
  for (int64_t number = 0; number < race.first.turn; ++number) {
    const Turn& turn = run.turns[static_cast<size_t>(number)];
    ticks.take(turn);
    for (ActorId actor : turn.footprint.actors) {
      uint32_t tick = ticks.of(actor);
      if (tick > 0 && tick <= first->at(actor) && tick <= second->at(actor))
        last = fmt::format("{} on {}", turn.name, actor_name(actor, run.outcome.ranks));
    }
  }
  return last;
}

}  // namespace

std::optional<Witness> reverse_race(const Program& program, const Execution& run, const Race& race) {
  std::optional<Witness> witness;
  const Wrong* seen = left_wrong(run, race.first.turn, race.second.turn, race.block);
  for (bool let_go : {true, false}) {
    std::optional<Reversed> other = reversed(program, run, race, let_go);
    if (!other || other->run.outcome.stopped) continue;
    const Wrong* wrong = left_wrong(other->run, other->first, other->second, race.block);
    if (!wrong) wrong = seen;
    const std::string reader = wrong ? wrong->what : std::string();
    if (!witness || wrong) witness = Witness{std::move(other->run), wrong != nullptr, reader};
    if (wrong) break;
  }
  return witness;
}

std::string missing_edge(const Execution& run, const Race& race) {
  auto role = [](const AccessSite& site) { return site.write ? "writer" : "reader"; };
  bool two_writers = race.first.write && race.second.write;
  const AccessSite &earlier = race.earlier(), &later = race.later();
  std::string waiter = two_writers ? "second writer" : role(later), other = two_writers ? "first one" : role(earlier);
  return fmt::format("{} is not ordered after {}: no wait of the {}'s stream on an event recorded behind the {}; both come after {}",
                     named(run, later), named(run, earlier), waiter, other, common_ancestor(run, race));
}

}  // namespace reloadlab::sim::explore
