#pragma once
// NCCL communicators of this process with its peers: made once, by all their members in the same order, and kept for the cases to come.
#include <map>
#include <mutex>
#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

#include "sim/world/seat.h"

namespace reloadlab::sim::cuda {

class Communicators {
 public:
  // Of the process; the seat's round may differ from call to call, nothing else.
  static Communicators& of(const Seat& seat);

  // Blocks until every member has asked for it. Throws c10::Error. `ranks`: of all processes; none: all of them.
  c10::intrusive_ptr<c10d::ProcessGroup> group(const std::string& name, std::vector<int64_t> ranks);
  // Keys of one round, for all ranks. Waiting for a key that nobody sets throws once the patience is at its end.
  c10::intrusive_ptr<c10d::Store> store(const std::string& name, int64_t round) const;
  // From any thread: what waits in a stream or on a host behind a collective that never ends goes on, with what it has. Nothing can be sent
  // from then on.
  void abort();
  // What NCCL's recorder knows of collectives that have not ended, as JSON. From any thread; may block as CUDA does.
  static std::string outstanding();

 private:
  explicit Communicators(const Seat& seat);
  Seat seat_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::mutex mutex_;
  std::map<std::string, c10::intrusive_ptr<c10d::ProcessGroup>> groups_;  // by name and members
};

}  // namespace reloadlab::sim::cuda
