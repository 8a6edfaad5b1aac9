#pragma once
// Cases whose ranks are processes: as many workers as ranks, each of which plays its own, side by side; what they tell is put together.
// They live for as many cases of so many ranks as go well: after one that left anything under way, or where one of them died since, comes a
// fresh set. One that dies in a case is that case's: lost.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/campaign/attempt.h"
#include "sim/campaign/peer.h"
#include "sim/evidence/rank_parts.h"

namespace reloadlab::sim {

class Party {
 public:
  // Where its members come from.
  struct Home {
    std::function<Result<std::unique_ptr<Peer>>(int rank, const EngineOptions&)> start;
    std::function<Seat(int rank)> seat;  // host and device of the rank
    std::function<Result<std::unique_ptr<MeetingPlace>>()> meet;
  };
  explicit Party(Home home) : home_(std::move(home)) {}

  // A process for each rank. REQUIRES engine.silence_seconds > 0, as below.
  Result<Evidence> play(const Job& job, const EngineOptions& engine);
  // One process for all ranks. Code::lost where it did not come back with anything ("hang: …": it never would have).
  Result<Evidence> play_alone(const Job& job, const EngineOptions& engine);
  // Ends all members.
  void leave();

 private:
  struct Member {
    std::unique_ptr<Peer> process;
    RankPart part;
    std::optional<Status> failed;  // what replay said in place of evidence
    bool done() const { return part.evidence || failed || !part.lost.empty(); }
  };

  void play_all(const Job& job, const EngineOptions& engine);
  Result<Evidence> try_to_play(const Job& job, const EngineOptions& engine);
  bool can_go_on(size_t processes) const;
  Status gather(size_t processes, bool meet, const EngineOptions& engine);
  void deal(const Job& job, const EngineOptions& engine);
  void wait();
  void attend(size_t rank, const EngineOptions& engine);
  void take(size_t rank, const Frame& frame, const EngineOptions& engine);
  void lose(size_t rank, const std::string& how, bool hangs = false);

  const Home home_;
  std::unique_ptr<MeetingPlace> place_;  // null: they need none
  std::vector<Member> members_;
  int64_t round_ = 0;
};

// A worker of this program on this host. `command` makes the program one.
Result<std::unique_ptr<Peer>> start_worker(const std::vector<std::string>& command, const EngineOptions& engine);

// The engine, whose replay() deals out what needs a process for each rank.
Engine with_rank_processes(Engine engine, std::vector<std::string> command);

// The engine, whose replay() has one worker play each case: what the candidate dies of is Code::lost, and this process goes on.
Engine with_worker_process(Engine engine, std::vector<std::string> command);

// Whether it needs one: its ranks talk, on real devices.
bool needs_rank_processes(const Case& the_case);

}  // namespace reloadlab::sim
