#pragma once
// Finds races in one run: two accesses to the same bytes, one of them a write, neither of which happened before the other. What is
// judged is the order that streams, events, works and waits enforce, so one schedule is enough, whichever it was.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/world/about.h"
#include "sim/world/order/clock.h"
#include "sim/world/order/region.h"

namespace reloadlab::sim {

struct Access {
  Region region;
  bool write = false;
};

// What a host was about when it issued something.
using LabelPtr = std::shared_ptr<const About>;

// Who touched what, as reports name it.
struct AccessSite {
  ActorId actor = -1;
  uint32_t tick = 0;
  int64_t step = 0;       // position in the run
  int64_t turn = -1;      // the turn that it was part of
  int64_t issue = -1;     // in the order in which hosts issued things
  std::string operation;  // "aten::mm", "broadcast #3 of ring"
  bool write = false;
  LabelPtr label;  // null: nobody said
};

struct Race {
  AccessSite first, second;  // in the order in which this run executed them
  BlockId block = -1;
  // What was issued later is to wait for what was issued before, whichever this run executed first.
  bool turned() const { return second.issue < first.issue; }
  const AccessSite& earlier() const { return turned() ? second : first; }
  const AccessSite& later() const { return turned() ? first : second; }
};

class RaceFinder {
 public:
  // The access happens now, as the step at `site`; `clock` is the actor's, the step itself included.
  void access(const AccessSite& site, const Access& access, const Clock& clock);
  // Each pair of steps once, in the order found. Accesses that a later, ordered one has taken the place of are not compared
  // again: whatever races with them races with that one too.
  const std::vector<Race>& races() const { return races_; }

 private:
  struct Past {
    AccessSite site;
    Region region;
  };
  std::map<BlockId, std::vector<Past>> past_;
  std::vector<Race> races_;
};

}  // namespace reloadlab::sim
