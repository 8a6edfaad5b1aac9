#pragma once
// A turn is what one actor did when it was chosen: a host's way to its next visible operation, or the head of a stream. Its footprint
// says what it shares with others; two turns that share nothing may change places, and nobody can tell. Turns are put together only for
// a Chooser that watches.
#include <string>
#include <vector>

#include "sim/world/order/clock.h"
#include "sim/world/order/races.h"

namespace reloadlab::sim::modelled {

struct Footprint {
  struct Key {
    std::string name;
    bool write = false;
  };
  std::vector<ActorId> actors;     // whose turn it was: one, or every stream that took part in a collective
  std::vector<Access> accesses;    // to device memory
  std::vector<int64_t> marks;      // points that are done from here on
  std::vector<int64_t> queries;    // points that a host looked at without waiting for them
  std::vector<ActorId> tails;      // streams behind whose last action something was put; -1 - d: device d's memory and streams
  std::vector<Key> keys;           // of a store, or whatever else hosts share
  std::vector<int> places;         // devices of which a place for a collective was taken or given back
  std::vector<int> host_writes;    // hosts: they may have changed memory of their own
  std::vector<int> host_accesses;  // hosts whose memory a stream read or wrote while they may go on
  bool everything = false;         // a kernel failed: whoever comes next is told

  void add(const Footprint& other);
};

// "host 0", "driver", "stream 3 of sim:1" of a machine of so many ranks.
std::string actor_name(ActorId actor, int ranks);

// Whether the order of the two can make a difference. What one of them makes possible for the other is no matter of order: see Turn.
bool dependent(const Footprint& a, const Footprint& b);

struct Turn {
  ActorId actor = -1;
  std::string name;  // "aten::mm", "broadcast #3 of ring", "host"
  Footprint footprint;
  std::vector<int64_t> after;  // turns, by number, without which there would have been none: who issued it, who marked what it waited for
  bool after_all = false;      // the driver when a run is over, a host whose time is up: nothing else could go on
  bool takes_place =
      false;  // of the few that a device has for collectives, or the one of a communicator that it aborts: others cannot do what they could
  std::vector<Clock> clocks;  // what each actor of the footprint knows afterwards
};

}  // namespace reloadlab::sim::modelled
