#pragma once
// Vector clocks. Everything that acts in order is an actor: a host thread, a stream. An actor's clock says, for every actor, how many
// of its steps are known to have happened before. A step (actor, tick) happened before whoever's clock has reached that tick.
//
//   own      whose step was the last one, and its tick: all that changes from step to step
//   known    pages of ticks, shared with the clocks they were learnt from; none where nobody on it is known
//
// So a copy costs one reference, and what a broadcast makes known to 256 ranks is held once.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace reloadlab::sim {

using ActorId = int32_t;  // numbered in order of creation: the same run gives the same numbers

class Clock {
 public:
  uint32_t at(ActorId actor) const { return actor == own_ ? own_tick_ : known(actor); }
  // One more step of the actor; returns its tick.
  uint32_t tick(ActorId actor);
  // Afterwards all that happened before `other` happened before this as well.
  void join(const Clock& other);

 private:
  static constexpr size_t page_actors = 64;
  using Page = std::array<uint32_t, page_actors>;
  using PagePtr = std::shared_ptr<Page>;
  using Pages = std::vector<PagePtr>;

  uint32_t known(ActorId actor) const {
    const size_t page = static_cast<size_t>(actor) / page_actors;
    return known_ && page < known_->size() && (*known_)[page] ? (*(*known_)[page])[static_cast<size_t>(actor) % page_actors] : 0;
  }
  PagePtr& page_to_change(size_t page);
  void learn(ActorId actor, uint32_t tick);
  void learn(const Pages& pages);

  ActorId own_ = -1;  // -1: nobody's
  uint32_t own_tick_ = 0;
  std::shared_ptr<Pages> known_;  // changed only where nobody shares it, and so are its pages
};

}  // namespace reloadlab::sim
