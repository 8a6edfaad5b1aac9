#pragma once
// A worker process that this one has started.
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <vector>

#include "sim/campaign/peer.h"
#include "sim/campaign/trail.h"

namespace reloadlab::sim {

class WorkerProcess final : public Peer {
 public:
  // In a process group of its own. `log` gets what it prints; empty: where this process prints its errors.
  static Result<std::unique_ptr<WorkerProcess>> start(const std::vector<std::string>& command, const std::string& log);
  ~WorkerProcess() override;
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  pollfd watched() const override { return {socket_, static_cast<short>(outgoing_.empty() ? POLLIN : POLLIN | POLLOUT), 0}; }
  void send(FrameKind kind, std::string_view body) override { send_bytes(frame_bytes(kind, body)); }
  void send_bytes(std::string_view frames);
  void pump() override;
  Result<std::optional<Frame>> next() override { return frames_.next(); }
  bool gone() const override { return gone_; }
  double silent_seconds() const override;
  std::string end() override;
  std::string trail() override { return read_trail(trail_); }

 private:
  WorkerProcess(pid_t pid, int socket, int trail);
  bool has_ended() const;
  std::string reap(bool block);
  pid_t pid_;
  int socket_, trail_;
  bool gone_ = false;
  std::string outgoing_;
  FrameReader frames_;
  std::chrono::steady_clock::time_point heard_;
};

}  // namespace reloadlab::sim
