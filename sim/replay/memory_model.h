#pragma once
// Point 9 of the layerwise rules as arithmetic. Extra bytes at a time are
//   the buffered source bytes of all groups that are armed (the load call in flight included)
// + for the group in process: its materialized tensors + what its post-load steps leave and need beside them
// + with a backup: kernel bytes of the groups committed so far and of the one in process.
#include <vector>

#include "sim/replay/catalogue.h"

namespace reloadlab::sim {

class MemoryModel {
 public:
  MemoryModel(const Catalogue& catalogue, model::TensorParallel tp, bool backup);
  void begin();                           // a new update
  void buffer(int group, int64_t bytes);  // a load call that is kept until its group is processed
  void pass(int64_t bytes);               // a load call that is dropped: in flight only
  void process(int group);
  bool has_buffered(int group) const { return buffered_[static_cast<size_t>(group)] > 0; }
  int64_t take_peak();  // since the last call

 private:
  struct GroupSize {
    int64_t materialized = 0, post_load = 0, loader_scratch = 0, kernel = 0;
  };
  void see(int64_t bytes);
  std::vector<GroupSize> sizes_;
  std::vector<int64_t> buffered_;
  int64_t buffered_total_ = 0, committed_ = 0, peak_ = 0;
  bool backup_;
};

}  // namespace reloadlab::sim
