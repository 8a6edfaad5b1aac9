#include "sim/world/order/clock.h"

#include <algorithm>
#include <utility>

namespace reloadlab::sim {

uint32_t Clock::tick(ActorId actor) {
  if (own_ != actor) {
    const uint32_t before = at(actor);
    learn(std::exchange(own_, -1), own_tick_);
    own_ = actor;
    own_tick_ = before;
  }
  return ++own_tick_;
}

void Clock::join(const Clock& other) {
  if (!known_) {
    known_ = other.known_;
  } else if (other.known_ && other.known_ != known_) {
    learn(*other.known_);
  }
  // Pages may hold an earlier tick of one's own, or a later one where another clock of the same actor was joined.
  if (own_ >= 0) own_tick_ = std::max(own_tick_, known(own_));
  learn(other.own_, other.own_tick_);
}

Clock::PagePtr& Clock::page_to_change(size_t page) {
  if (!known_ || known_.use_count() > 1) known_ = known_ ? std::make_shared<Pages>(*known_) : std::make_shared<Pages>();
  if (page >= known_->size()) known_->resize(page + 1);
  return (*known_)[page];
}

void Clock::learn(ActorId actor, uint32_t tick) {
  if (actor < 0 || at(actor) >= tick) return;
  if (actor == own_) {
    own_tick_ = tick;
    return;
  }
  PagePtr& page = page_to_change(static_cast<size_t>(actor) / page_actors);
  if (!page || page.use_count() > 1) page = page ? std::make_shared<Page>(*page) : std::make_shared<Page>();
  (*page)[static_cast<size_t>(actor) % page_actors] = tick;
}

// Where one of two pages knows all that the other one does, it is the one that is held from then on.
void Clock::learn(const Pages& pages) {
  for (size_t i = 0; i < pages.size(); ++i) {
    const Page* here = i < known_->size() ? (*known_)[i].get() : nullptr;
    if (!pages[i] || pages[i].get() == here) continue;
    if (!here) {
      page_to_change(i) = pages[i];
      continue;
    }
    Page both;
    uint32_t news = 0, olds = 0;  // what one of the two knows and the other does not; not 0 where there is something
    for (size_t k = 0; k < page_actors; ++k) {
      const uint32_t mine = (*here)[k], theirs = (*pages[i])[k];
      both[k] = std::max(mine, theirs);
      news |= both[k] ^ mine;
      olds |= both[k] ^ theirs;
    }
    if (news != 0) page_to_change(i) = olds == 0 ? pages[i] : std::make_shared<Page>(both);
  }
}

}  // namespace reloadlab::sim
