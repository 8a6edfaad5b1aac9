#pragma once
// Process groups whose collectives are actions of the modelled machine: an operation starts when every rank's part is at the head of
// its stream, and then moves the data in one step.
//
//   nccl   as since PyTorch 2.8: asyncOp = false runs on the current stream and gives no Work; true on the group's own stream, after an
//          event of the current one. Work::wait() orders the current stream and does not block the host. Tensors are kept alive until
//          wait().
//   gloo   operations go to one of the group's workers in turn, after an event of the current stream; Work::wait() blocks the host. With
//          two workers, operations that nobody waited for are not ordered among each other.
//
// Work::wait() with a time-out blocks the host and throws c10::DistBackendError where the operation takes longer in virtual time, or would
// never complete. abort() and shutdown(), on any rank, make everything fail that the communicator has not completed, on every rank:
// who waits for it gets c10::DistBackendError, and so does who asks for more. Streams go on.
//
// Ranks that issue different operations never complete, and the deadlock's picture says in what they differ. Only sums are reduced.
#include <memory>
#include <string>
#include <vector>

#include "reference/model/c10d_names.h"

namespace reloadlab::sim::modelled {

enum class GroupMode { nccl, gloo };

struct GroupOptions {
  std::string name;        // of the communicator; groups of one name and equal ranks are one communicator
  std::vector<int> ranks;  // global, in group order
  GroupMode mode = GroupMode::nccl;
  int workers = 2;  // gloo only: 1 or 2
};

// The group as the calling rank holds it. REQUIRES that options.ranks contains it; every member makes its own, with equal options.
c10::intrusive_ptr<c10d::ProcessGroup> make_group(const GroupOptions& options, int global_rank);

}  // namespace reloadlab::sim::modelled
