#pragma once
// Point 9 of the layerwise rules as arithmetic. Extra bytes at a time are
//   the buffered source bytes of all groups that are armed, and of the load call in flight; a source that several tensors come in
//   counts whole from the first of them on, until the transport has left it and no group holds one
// + for the group in process: its materialized tensors + what its post-load steps leave and need beside them, or what its loaders need
//   for the loads that are replayed, which is gone by then
// + with a backup: kernel bytes of the groups committed so far and of the one in process; where loads land as they come, of all groups
//   from their first load on
// + with a shadow: the new copies of the group in process, and with a backup those of the groups committed so far
// + the helper tensors that a deferred layer's own step makes anew, and with a backup, where the layer had loads, the old ones,
//   and what it takes to read quantized values that they are made from.
#include <map>
#include <set>
#include <vector>

#include "sim/replay/catalogue.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim {

// What the layer's own step takes to read values of quantized layers.
int64_t read_bytes(const Catalogue& catalogue, int layer, model::TensorParallel tp);

inline model::Operators operators_of(WorldKind world) { return world == WorldKind::cuda ? model::Operators::cuda : model::Operators::cpu; }

enum class Backup {
  none,
  of_processed,  // groups
  of_touched,
};

class MemoryModel {
 public:
  MemoryModel(const Catalogue& catalogue, model::TensorParallel tp, Backup backup, bool shadow, model::Operators operators);
  void begin();                            // a new update
  void arrive(int source, int64_t bytes);  // the transport comes to this source; sources of one step have numbers, each its own run
  void leave();                            // it is done with what it came to
  // What ATen takes for tensors that lie column by column (reference/model/transpose_tile.h).
  struct Tiles {
    int64_t replayed = 0;  // when the loader gets it to write
    int64_t kept = 0;      // when it is counted, or copied to be kept
  };
  void buffer(int group, const Tiles& tiles);  // a load call of that source that is kept until its group is processed
  void pass(const Tiles& tiles);               // one that is dropped: in flight only
  void process(int group);
  void derive(int group);   // its own step alone: it had no loads
  void release(int group);  // its buffered loads are dropped unprocessed
  void forward();           // the first one registers tensors, which are kernel tensors from then on
  void give_up(int group);  // in process, and refused before its post-load step
  bool has_buffered(int group) const { return !buffered_[static_cast<size_t>(group)].empty(); }
  struct Peak {
    int64_t went_through = 0, failed = 0;
  };
  Peak take_peak();  // since the last call; `failed`: at most, if it ended in a failure

 private:
  struct GroupSize {
    int64_t materialized = 0, post_load = 0, post_load_left = 0, loader_scratch = 0, kernel = 0, late = 0, shadow = 0, helpers = 0,
            helper_most = 0, read = 0;
  };
  // Memory that tensors came in.
  struct Source {
    int64_t bytes = 0;
    std::set<int> groups;  // that keep a tensor of it
    bool counted = false;  // something of it was accepted
  };
  int64_t& tile_of(int group) { return tiles_[static_cast<size_t>(group)]; }
  int64_t loader_scratch(int group) const;
  void see(int64_t bytes, int64_t scratch = 0);
  void count();
  void forget(int serial);
  void back_up(int group);
  std::vector<GroupSize> sizes_;
  std::vector<std::vector<int>> buffered_;  // by group: serials of sources
  std::vector<bool> backed_up_;             // by group
  std::vector<int64_t> tiles_;              // by group: the largest of its buffered loads
  std::map<int, Source> sources_;           // by serial
  int serial_ = 0, source_ = -1;            // of the source that the transport is at; its number, -1: none
  int64_t buffered_total_ = 0, committed_ = 0;
  Peak peak_;
  Backup backup_;
};

}  // namespace reloadlab::sim
