#pragma once
// Passes over the 61 layers, each in its way. All ranks call the same ones in the same order.
#include <memory>
#include <vector>

#include "bench/gpu/o_proj.h"
#include "bench/gpu/raw_nccl.h"
#include "bench/gpu/timed_group.h"
#include "reference/shared_series/series.h"
#include "sim/world/seat.h"

namespace reloadlab::bench {

// Milliseconds; intervals behind the pass's begin.
struct PassTimes {
  double pass = 0;
  std::vector<Interval> waits;       // of the stream of the GEMMs, before each
  std::vector<Interval> broadcasts;  // each one's, from when this rank's kernel had begun
};

// What the ways share.
struct Stage {
  const sim::Seat& seat;
  Projections& layers;
  RawNccl& nccl;
  TimedGroup& group;
  int owner(int64_t layer) const { return static_cast<int>(layer % seat.ranks); }
};

// GEMMs alone, of weights that all lie here: a pass behind another one. `taken_apart`: with a ring's events for its waits.
PassTimes plain_pass(const Stage& stage, bool taken_apart);
// Before each GEMM the GPU rests for so long: they are shorter then. The rests are its waits.
PassTimes rested_pass(const Stage& stage, double rest);
// Of a GEMM alone.
double layer_time(const Stage& stage);
// Beside them, on another stream, the pass's broadcasts, which wait for nothing and for which nobody waits before the end.
PassTimes independent_pass(const Stage& stage, const std::vector<at::Tensor>& windows);
// The same broadcasts by NCCL itself, in a pass behind another one, each released when the GEMM before has ended and of the layer so far
// ahead, as a ring's; nobody waits for them.
PassTimes released_pass(const Stage& stage, const std::vector<at::Tensor>& windows, int64_t ahead);
// Broadcasts alone, one behind the other.
PassTimes lone_broadcasts(const Stage& stage, const std::vector<at::Tensor>& windows, int64_t bytes);

// A shared-weight series, hardened, with the layers' values.
class RingPasses {
 public:
  RingPasses(const Stage& stage, int64_t prefetch);
  PassTimes pass(bool taken_apart);  // a pass behind another one; `taken_apart`: waits and broadcasts too, which costs events
  // Layers that a pass reads wrong.
  int64_t wrong();
  // Bytes that its making and a pass left asked of the allocator, and what SW5 says.
  int64_t bytes() const { return bytes_; }
  int64_t bytes_meant() const;

 private:
  void once(std::vector<Span>* waits);
  Stage stage_;
  int64_t prefetch_, bytes_ = 0;
  std::unique_ptr<shared_series::SharedSeries> series_;
  std::vector<model::LayerPtr> members_;
};

}  // namespace reloadlab::bench
