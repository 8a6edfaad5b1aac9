#pragma once
// A Mazurkiewicz trace: the turns of a run, and which of them came before which for a reason. Runs that differ only in the order of
// turns that share nothing are one trace, and have one mark.
#include <cstdint>
#include <vector>

#include "sim/world/modelled/turn.h"

namespace reloadlab::sim::explore {

class Trace {
 public:
  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  void truncate(int64_t size) { entries_.erase(entries_.begin() + size, entries_.end()); }
  // `values` stands for what the world chose during the turn.
  void push(const modelled::Turn& turn, uint64_t values);

  ActorId actor(int64_t turn) const { return at(turn).actor; }
  bool before(int64_t first, int64_t second) const;  // REQUIRES first < second
  // The turns with which this one conflicts directly, and which did not make it possible: it could have come before them.
  const std::vector<int64_t>& reversible(int64_t turn) const { return at(turn).reversible; }
  // Of the turns after `first` that do not need it, up to `second`, which conflicts with it: the actors that can begin.
  std::vector<ActorId> initials(int64_t first, int64_t second) const;
  uint64_t mark() const;

 private:
  struct Entry {
    ActorId actor;
    modelled::Footprint footprint;
    std::vector<uint64_t> before;  // a bit for each turn that came before for a reason
    std::vector<int64_t> reversible;
    uint64_t mark;
  };
  const Entry& at(int64_t turn) const { return entries_[static_cast<size_t>(turn)]; }
  std::vector<Entry> entries_;
};

}  // namespace reloadlab::sim::explore
