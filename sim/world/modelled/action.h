#pragma once
// What can stand in a stream's queue. Nothing here runs when it is issued; the machine executes the head of a queue when it is enabled.
//
//   kernel    always enabled; moves data
//   record    always enabled; marks a point
//   wait      enabled once its point is marked
//   part      one rank's part of a collective: enabled once every rank's part is at the head of its queue, or it was aborted
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "sim/world/modelled/rates.h"
#include "sim/world/order/clock.h"
#include "sim/world/order/races.h"

namespace reloadlab::sim::modelled {

class Capture;

// What pictures and messages call something; one for all that are called the same.
using NamePtr = std::shared_ptr<const std::string>;
inline NamePtr named(std::string name) { return std::make_shared<const std::string>(std::move(name)); }
inline const NamePtr& unnamed() {
  static const NamePtr none = named({});
  return none;
}

// One version of an event, or the end of a collective on one rank: what a wait waits for.
struct Point {
  NamePtr name = unnamed();
  bool done = false;
  int64_t id = -1;                   // in order of issue; -1: not issued yet
  int64_t marked_in = -1;            // the turn that marked it
  Clock clock;                       // of whoever marked it
  Picoseconds time = 0;              // when it was marked
  std::vector<ActorId> waiting;      // who could not go on before it was marked
  std::string failed;                // done, but what was waited for was aborted, and why
  std::shared_ptr<Capture> capture;  // not null: belongs to a captured graph, and never gets done
  Clock captured_clock;              // order inside the capture
};
using PointPtr = std::shared_ptr<Point>;

struct Kernel {
  std::string name;
  std::vector<Access> accesses;
  Picoseconds cost = 0;
  // Holds addresses, sizes and strides as they were at issue, never a tensor of the program.
  std::function<void()> run;
  int host = -1;             // whose own memory it touches while that host may go on; -1: nobody's
  bool undisturbed = false;  // it takes its cost, whatever goes on beside it or went before
};
struct Record {
  PointPtr point;
};
struct Wait {
  PointPtr point;
};

struct Collective;
struct Part {
  std::shared_ptr<Collective> collective;  // null in a capture
  size_t index = 0;                        // the rank inside the group
  PointPtr done;
  std::function<Part()> issue_again;  // a live part for one replay of a captured one
};
using Action = std::variant<Kernel, Record, Wait, Part>;

struct Collective {
  struct Seat {
    bool issued = false, started = false;
    ActorId stream = -1;
    std::vector<Access> accesses;
    PointPtr done;
    NamePtr wanted;     // "broadcast (root 1, 64 elements of Float)"; null: not issued
    bool sends = true;  // data flows from this rank to all others; where it does not, nobody waits for it
  };
  NamePtr name = unnamed();  // "broadcast #3 of ring"
  std::string group;         // the communicator
  std::vector<Seat> seats;   // by rank inside the group
  size_t started = 0;        // seats
  std::string mismatch;      // not empty: ranks issued different operations, and it never completes
  std::string aborted;       // not empty: why it gives up, on each rank when its turn comes
  Picoseconds cost = 0;
  std::function<void()> run;
};

}  // namespace reloadlab::sim::modelled
