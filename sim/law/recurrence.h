#pragma once
// What rings on FIFO streams take: ranks do their visits at their own times, and a broadcast starts when each member of its group has
// come to it and the group is done with the one before. Series of one group share its stream; groups, and what runs on current streams,
// go on side by side. Models of one process take turns on the current stream, and have groups of their own.
//
//   reach:  P behind it · start = max over members (time of its reach, end of the group's last broadcast) · end = start + Tb
//   wait:   t = max(t, end of the layer's broadcast) · Q behind that
//   load:   series by series L broadcasts on current streams: t = max over members (t) + Tb
//   drain:  t = max(t, end of what the rank has issued for the series)
//   reset:  series by series, drained and then the first windows filled, which nobody waits for
//   reload: every series drained; then, series by series, L broadcasts as in a load (not in place) and the first windows filled
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
  // At time 0. REQUIRES that the case says what things take.
  Recurrence(const Case& the_case, Binding binding);

  // The rank's stream goes on no earlier than that.
  void begin(size_t rank, int64_t at) { now_[rank] = std::max(now_[rank], at); }
  int64_t now(size_t rank) const { return now_[rank]; }

  // Each for one model, by all ranks that are in a series. A first load is the same for each model.
  void load();
  void pass(size_t model);  // one that deviates nowhere
  void drain(size_t model);
  void reset(size_t model);
  void reload(size_t model, bool in_place);
  void fill(size_t model);  // the first windows again, when nothing is in flight

  void sync();  // streams wait for all that is in flight, of all models

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
  struct Model {
    std::map<std::string, Group> groups;
    std::map<std::pair<size_t, std::string>, size_t> awaited;     // by rank and layer: the last broadcast of the layer that it issued
    std::map<std::pair<size_t, const SeriesSpec*>, size_t> last;  // by rank and series; looked up, never walked
  };

  std::vector<size_t> members_of(const SeriesSpec& series) const;
  size_t target_of(const SeriesSpec& series, size_t position) const;
  void fetch(Model& model, const SeriesSpec& series, size_t rank, size_t position);
  void load(const SeriesSpec& series);
  void drain(const Model& model, const SeriesSpec& series);
  void fill(Model& model, const SeriesSpec& series);
  bool go_on(Model& model, size_t rank, const Visit& visit);  // false: the rank waits for a broadcast that others have not come to

  const Case* case_;
  Binding binding_;
  std::vector<std::string> layers_;
  std::vector<int64_t> now_;
  std::vector<Model> models_;
};

}  // namespace reloadlab::sim
