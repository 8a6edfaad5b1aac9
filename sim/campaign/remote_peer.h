#pragma once
// The process of a rank that another process of the launch has started. What both say goes over the board of the launch, a value at a
// time and in order: each has a kind and, behind it, bytes.
//
//   down 2 5       the fifth value from the campaign (rank 0) to rank 2      N a fresh worker; B bytes for it; T tell its trail; K end it;
//   X leave,
//                                                                            with this exit code
//   up 2 3 7       the seventh one back, of rank 2's third worker            B bytes of it; T its trail; G it is gone: how, and its trail
//   beat 2         a number that goes up as long as rank 2's process lives (beating.h)
#include <chrono>
#include <memory>

#include "sim/campaign/peer.h"
#include "sim/world/meeting_place.h"

namespace reloadlab::sim {

// A number that somebody else counts up: who does not is gone.
class Heartbeat {
 public:
  // `come_within` is for the first one.
  Heartbeat(Board& board, int rank, double patience, double come_within);
  // Asks from time to time. Why the process is held for dead; empty while it is not.
  std::string why_dead();

 private:
  using Clock = std::chrono::steady_clock;
  Board& board_;
  const int rank_;
  const double patience_, come_within_;
  std::string last_;
  Clock::time_point changed_ = Clock::now(), asked_{};
};

// One direction: values by number.
class Channel {
 public:
  Channel(Board& board, std::string name) : board_(board), name_(std::move(name)) {}
  // Cut into values that a board takes.
  Status put(char kind, std::string_view bytes);
  // The next one; none where it is not there yet.
  Result<std::optional<std::string>> take();

 private:
  Board& board_;
  const std::string name_;
  int64_t next_ = 0;
};

inline std::string up_name(int rank, int64_t worker) { return "up " + std::to_string(rank) + " " + std::to_string(worker); }
inline std::string down_name(int rank) { return "down " + std::to_string(rank); }

// What rank 0 has of another rank for as long as the launch lasts.
struct RemoteRank {
  RemoteRank(Board& the_board, int number, double patience)
      : board(the_board), rank(number), down(the_board, down_name(number)), heartbeat(the_board, number, patience, patience) {}
  Board& board;
  const int rank;
  Channel down;
  Heartbeat heartbeat;
  int64_t workers = 0;  // that were asked for
};

// One worker of it, from here on.
std::unique_ptr<Peer> start_remote(RemoteRank& rank);

}  // namespace reloadlab::sim
