#pragma once
// Vector clocks. Everything that acts in order is an actor: a host thread, a stream. An actor's clock says, for every actor, how many
// of its steps are known to have happened before. A step (actor, tick) happened before whoever's clock has reached that tick.
#include <algorithm>
#include <cstdint>
#include <vector>

namespace reloadlab::sim::modelled {

using ActorId = int32_t;  // numbered in order of creation: the same run gives the same numbers

class Clock {
 public:
  uint32_t at(ActorId actor) const {
    auto index = static_cast<size_t>(actor);
    return index < ticks_.size() ? ticks_[index] : 0;
  }
  // One more step of the actor; returns its tick.
  uint32_t tick(ActorId actor) {
    auto index = static_cast<size_t>(actor);
    if (index >= ticks_.size()) ticks_.resize(index + 1, 0);
    return ++ticks_[index];
  }
  // Afterwards all that happened before `other` happened before this as well.
  void join(const Clock& other) {
    if (other.ticks_.size() > ticks_.size()) ticks_.resize(other.ticks_.size(), 0);
    for (size_t i = 0; i < other.ticks_.size(); ++i) ticks_[i] = std::max(ticks_[i], other.ticks_[i]);
  }

 private:
  std::vector<uint32_t> ticks_;  // actors beyond the end stand at 0
};

}  // namespace reloadlab::sim::modelled
