#pragma once
// Ranks that a launcher starts (torchrun, Slurm, Kubernetes): the same command once for each. Rank 0 is the campaign; every other one is
// the keeper of a worker process, to which it hands on what rank 0 says over the board (remote_peer.h). Who plays is always a worker, so
// that a crash ends no process of the launcher's. What one process can play alone is played by a worker of rank 0.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/campaign/engine.h"
#include "sim/world/meeting_place.h"

namespace reloadlab::sim {

// What the variables say; none where they name no rank, or a single one. Code::usage where one is missing, or no number that can be.
Result<std::optional<Launch>> read_launch(const std::map<std::string, std::string>& variables);

struct LaunchOptions {
  Launch launch;
  int device = 0;                    // that the worker of this process drives
  std::string lacks;                 // why there is none
  std::vector<std::string> command;  // that makes the program a worker
  double silence_seconds = 60;
  double come_within = 60;    // all of them, which load their libraries and may be queued
  double peer_patience = 10;  // without a sign of life of another process of the launch: it is dead
};

// Of ranks other than 0: until rank 0 says that it is over, and which exit code is everybody's. Without rank 0 it ends as well.
int keep_worker(Board& board, const LaunchOptions& options);

// Of rank 0.
class Launched {
 public:
  // Waits until all are there.
  static Result<std::unique_ptr<Launched>> gather(Board& board, LaunchOptions options);
  ~Launched();
  // The engine, whose replay() has workers play.
  Engine with_workers(Engine engine) const;
  // Tells everybody, and waits for them to leave: the board may be this process's.
  void over(int exit_code);

 private:
  class All;
  explicit Launched(std::shared_ptr<All> all) : all_(std::move(all)) {}
  std::shared_ptr<All> all_;
};

}  // namespace reloadlab::sim
