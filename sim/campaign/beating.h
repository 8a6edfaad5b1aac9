#pragma once
// The sign of life of a process of a launch, and what the board's values are called beside those of remote_peer.h.
#include <atomic>
#include <string>
#include <thread>

#include "sim/world/meeting_place.h"

namespace reloadlab::sim {

inline std::string hello_name(int rank) {
  return "hello " + std::to_string(rank);
}  // it has come, and drives this device; or none, and why
inline std::string bye_name(int rank) { return "bye " + std::to_string(rank); }  // it leaves
inline std::string beat_name(int rank) { return "beat " + std::to_string(rank); }

// Counts up for as long as it is there, whatever else the process does.
class Beating {
 public:
  Beating(Board& board, int rank);
  ~Beating();
  Beating(const Beating&) = delete;
  Beating& operator=(const Beating&) = delete;

 private:
  void beat(Board& board, int rank) const;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace reloadlab::sim
