#include "sim/explore/flow.h"

#include <algorithm>
#include <set>

namespace reloadlab::sim::explore {
namespace {

using modelled::Turn;

bool meet(const std::vector<Region>& some, const Region& region) {
  return std::ranges::any_of(some, [&](const Region& each) { return each.overlaps(region); });
}

class Flow {
 public:
  void take(const Turn& turn) {
    const std::vector<Access>& accesses = turn.footprint.accesses;
    const bool reads = std::ranges::any_of(accesses, [&](const Access& access) { return !access.write && meet(reached_, access.region); });
    for (const Access& access : accesses)
      if (access.write) write(access.region, reads);
  }
  void write(const Region& region, bool reached) {
    std::erase_if(reached_, [&](const Region& each) { return region.covers(each); });
    if (reached) reached_.push_back(region);
  }
  void all_written_by(const Turn& turn) {
    for (const Access& access : turn.footprint.accesses)
      if (access.write) write(access.region, true);
  }
  bool reached(const Region& region) const { return meet(reached_, region); }

 private:
  std::vector<Region> reached_;
};

// What the two do to the block's bytes at the same place.
struct Conflict {
  bool first_reads = false, second_reads = false;
  std::vector<Region> written_twice;
};

Conflict conflict_of(const Turn& first, const Turn& second, BlockId block) {
  Conflict conflict;
  for (const Access& one : first.footprint.accesses)
    for (const Access& other : second.footprint.accesses) {
      if (one.region.block() != block || !(one.write || other.write) || !one.region.overlaps(other.region)) continue;
      conflict.first_reads |= !one.write;
      conflict.second_reads |= !other.write;
      const bool inside = one.region.covers(other.region);
      if (one.write && other.write) conflict.written_twice.push_back(inside ? other.region : one.region);
    }
  return conflict;
}

// What holds something of the two turns' accesses to the block, when all is over.
Flow flow_of(const Execution& run, int64_t one_turn, int64_t other_turn, BlockId block) {
  const auto [first, second] = std::minmax(one_turn, other_turn);
  const auto turn = [&](int64_t number) -> const Turn& { return run.turns[static_cast<size_t>(number)]; };
  const Conflict conflict = conflict_of(turn(first), turn(second), block);
  Flow flow;
  if (!conflict.first_reads && !conflict.second_reads && conflict.written_twice.empty()) return flow;
  for (int64_t number = first; number < static_cast<int64_t>(run.turns.size()); ++number) {
    flow.take(turn(number));
    if ((number == first && conflict.first_reads) || (number == second && conflict.second_reads)) flow.all_written_by(turn(number));
    for (const Region& region : conflict.written_twice)
      if (number == second) flow.write(region, true);
  }
  return flow;
}

int device_of(ActorId actor, int ranks) { return actor <= ranks ? actor : (actor - ranks - 1) % ranks; }

// Whether the first turn comes before the second for a reason, on the devices that both have to do with, or on any where they share none.
bool ordered(const Turn& first, const Turn& second, int ranks) {
  bool on_one = true, on_any = true, share = false;
  for (size_t i = 0; i < first.footprint.actors.size(); ++i)
    for (size_t j = 0; j < second.footprint.actors.size(); ++j) {
      const ActorId one = first.footprint.actors[i], other = second.footprint.actors[j];
      const bool before = one == other || first.clocks[i].at(one) <= second.clocks[j].at(one);
      const bool same = device_of(one, ranks) == device_of(other, ranks);
      share |= same;
      on_any &= before;
      on_one &= before || !same;
    }
  return share ? on_one : on_any;
}

std::set<BlockId> written_or_read_by(const Turn& turn) {
  std::set<BlockId> blocks;
  for (const Access& access : turn.footprint.accesses) blocks.insert(access.region.block());
  return blocks;
}

// Flows of all pairs of turns that race. A run's list of races leaves out those that follow from others.
std::vector<Flow> racing_flows(const Execution& run) {
  std::vector<Flow> flows;
  for (size_t second = 0; second < run.turns.size(); ++second) {
    const std::set<BlockId> blocks = written_or_read_by(run.turns[second]);
    for (size_t first = 0; first < second && !blocks.empty(); ++first) {
      if (run.turns[first].footprint.accesses.empty() || ordered(run.turns[first], run.turns[second], run.outcome.ranks)) continue;
      for (const BlockId block : blocks) flows.push_back(flow_of(run, static_cast<int64_t>(first), static_cast<int64_t>(second), block));
    }
  }
  return flows;
}

}  // namespace

const Wrong* left_wrong(const Execution& run, int64_t one_turn, int64_t other_turn, BlockId block) {
  const Flow flow = flow_of(run, one_turn, other_turn, block);
  const auto found = std::ranges::find_if(run.outcome.wrong, [&](const Wrong& wrong) { return flow.reached(wrong.where); });
  return found == run.outcome.wrong.end() ? nullptr : &*found;
}

bool wrong_by_races(const Execution& run) {
  const std::vector<Flow> flows = racing_flows(run);
  return std::ranges::all_of(run.outcome.wrong, [&](const Wrong& wrong) {
    return std::ranges::any_of(flows, [&](const Flow& flow) { return flow.reached(wrong.where); });
  });
}

}  // namespace reloadlab::sim::explore
