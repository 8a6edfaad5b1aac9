#pragma once
// Ranks that are one process each: which one this process is, and where they find each other.
#include <cstdint>
#include <string>

namespace reloadlab::sim {

struct Seat {
  int rank = 0;
  int ranks = 1;
  int device = 0;  // of its host, as CUDA numbers them
  std::string host = "127.0.0.1";
  int port = 0;         // of the TCPStore that all of them know
  int64_t round = 0;    // of cases that these processes play, counted by whoever deals them out
  double patience = 5;  // seconds without anything issued or done, after which a rank gives up what it waits for
};

}  // namespace reloadlab::sim
