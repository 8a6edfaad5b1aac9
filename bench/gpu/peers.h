#pragma once
// Processes that are ranks of one program: this one is rank 0 and starts the others with its own arguments. They die with it.
#include <memory>

#include "sim/world/meeting_place.h"
#include "sim/world/seat.h"

namespace reloadlab::bench {

class Peers {
 public:
  // In a process that was started as a rank: that rank. Otherwise rank 0, with the others started.
  Peers(int ranks, int argc, char** argv);
  ~Peers();  // waits for them
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;
  const sim::Seat& seat() const { return seat_; }

 private:
  void start(int rank, int argc, char** argv);
  sim::Seat seat_;
  std::unique_ptr<sim::MeetingPlace> place_;  // rank 0's
  std::vector<int> started_;
};

}  // namespace reloadlab::bench
