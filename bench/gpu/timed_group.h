#pragma once
// NCCL's group of c10d twice, of which one takes times of its broadcasts: which of the two a series uses is switched between passes.
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

#include "bench/gpu/o_proj.h"
#include "bench/gpu/raw_nccl.h"
#include "sim/world/seat.h"

namespace reloadlab::bench {

class TimedGroup {
 public:
  // Collective.
  TimedGroup(const c10::intrusive_ptr<c10d::Store>& store, const sim::Seat& seat, const Sharing& sharing);
  const c10::intrusive_ptr<c10d::ProcessGroup>& group() const { return group_; }
  // With nothing under way.
  void take_times(bool taken);
  // Each broadcast since they are taken, once all are done; behind that event.
  std::vector<Interval> times(cudaEvent_t begin);

 private:
  class Switch;
  Switch* switch_;  // the group's
  c10::intrusive_ptr<c10d::ProcessGroup> group_;
};

}  // namespace reloadlab::bench
