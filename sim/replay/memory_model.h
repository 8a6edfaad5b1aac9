#pragma once
// Point 9 of the layerwise rules as arithmetic. Extra bytes at a time are
//   the buffered source bytes of all groups that are armed, and of the load call in flight
// + for the group in process: its materialized tensors + what its post-load steps leave and need beside them
// + with a backup: kernel bytes of the groups committed so far and of the one in process
// + with a shadow: the new copies of the group in process, and with a backup those of the groups committed so far
// + the helper tensors that a deferred layer's own step makes anew, and with a backup, where the layer had loads, the old ones,
//   and what it takes to read quantized values that they are made from.
#include <vector>

#include "sim/replay/catalogue.h"

namespace reloadlab::sim {

class MemoryModel {
 public:
  MemoryModel(const Catalogue& catalogue, model::TensorParallel tp, bool backup, bool shadow);
  void begin();                           // a new update
  void buffer(int group, int64_t bytes);  // a load call that is kept until its group is processed
  void pass(int64_t bytes);               // a load call that is dropped: in flight only
  void process(int group);
  void derive(int group);   // its own step alone: it had no loads
  void release(int group);  // its buffered loads are dropped unprocessed
  void forward();           // the first one registers tensors, which are kernel tensors from then on
  void give_up(int group);  // in process, and refused before its post-load step
  bool has_buffered(int group) const { return buffered_[static_cast<size_t>(group)] > 0; }
  struct Peak {
    int64_t went_through = 0, failed = 0;
  };
  Peak take_peak();  // since the last call; `failed`: at most, if it ended in a failure

 private:
  struct GroupSize {
    int64_t materialized = 0, post_load = 0, post_load_left = 0, loader_scratch = 0, kernel = 0, late = 0, shadow = 0, helpers = 0,
            helper_most = 0, read = 0;
  };
  void see(int64_t bytes, int64_t scratch = 0);
  std::vector<GroupSize> sizes_;
  std::vector<int64_t> buffered_;
  int64_t buffered_total_ = 0, committed_ = 0;
  Peak peak_;
  bool backup_;
};

}  // namespace reloadlab::sim
