#pragma once
// What a ring on FIFO streams takes: ranks do their visits at their own times, and a broadcast starts when each member of its group has
// come to it and the group is done with the one before.
//
//   reach: P behind it · start = max over members (time of its reach, end of the group's last broadcast) · end = start + Tb
//   wait:  t = max(t, end of the layer's broadcast) · Q behind that
//
// Times are picoseconds of the modelled devices. For layers alike there are closed forms (tests/sim/replay/pass_times_test.cpp).
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/scenario/case.h"
#include "sim/scenario/visits.h"

namespace reloadlab::sim {

class Recurrence {
 public:
  // Whose window reach() fills: that of the layer which is k ahead, or the one that is free now, for the next layer that is bound to it.
  enum class Binding { rolling, fixed };
  // REQUIRES that the case says what things take.
  Recurrence(const Case& the_case, Binding binding);

  // The rank's stream goes on no earlier than that.
  void begin(size_t rank, int64_t at) { now_[rank] = std::max(now_[rank], at); }
  int64_t now(size_t rank) const { return now_[rank]; }

  void prime();  // the first windows are filled again, and nobody waits
  void pass();   // one that deviates nowhere, by all ranks
  void drain();  // streams wait for all that is in flight

 private:
  struct Broadcast {
    size_t come = 0;     // members
    int64_t latest = 0;  // of their times
    int64_t end = -1;    // -1: not all members have come
  };
  struct Group {
    size_t members = 0;
    int64_t free = 0;
    std::vector<Broadcast> broadcasts;
    std::vector<size_t> issued;  // by rank
  };

  bool has_rank(const SeriesSpec& series, size_t rank) const { return series.has_rank(static_cast<int64_t>(rank)); }
  size_t target_of(const SeriesSpec& series, size_t position) const;
  void fetch(const SeriesSpec& series, size_t rank, size_t position);
  bool go_on(size_t rank, const Visit& visit);  // false: the rank waits for a broadcast that others have not come to

  const Case& case_;
  Binding binding_;
  std::vector<std::string> layers_;
  std::vector<int64_t> now_;
  std::map<std::string, Group> groups_;
  std::map<std::pair<size_t, std::string>, size_t> awaited_;  // by rank and layer: the last broadcast of the layer that it issued
};

}  // namespace reloadlab::sim
