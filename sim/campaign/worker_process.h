#pragma once
// One worker process as the campaign sees it. Nothing here blocks.
#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sim/campaign/frame.h"
#include "sim/campaign/trail.h"

namespace reloadlab::sim {

class WorkerProcess {
 public:
  // In a process group of its own. `log` gets what it prints; empty: where this process prints its errors.
  static Result<std::unique_ptr<WorkerProcess>> start(const std::vector<std::string>& command, const std::string& log);
  ~WorkerProcess();  // kills it and what it started
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // What poll() is to look for: its messages, and room for those that are left to send.
  pollfd watched() const { return {socket_, static_cast<short>(outgoing_.empty() ? POLLIN : POLLIN | POLLOUT), 0}; }
  // Also begins to count its silence anew.
  void send(FrameKind kind, std::string_view body);
  // Writes and reads what it can without waiting.
  void pump();
  // The next message, if one is whole. Code::data: it talks nonsense.
  Result<std::optional<Frame>> next() { return frames_.next(); }
  // The other end is closed: it is dead or about to be.
  bool gone() const { return gone_; }
  double silent_seconds() const;
  // Ends it and says how it ended: "killed by signal 11 (SIGSEGV)", "left with exit code 3".
  std::string end();
  // What it has written down of the case that it plays, or played last (trail.h).
  std::string trail() const { return read_trail(trail_); }

 private:
  WorkerProcess(pid_t pid, int socket, int trail);
  std::string reap(bool block);
  pid_t pid_;
  int socket_, trail_;
  bool gone_ = false;
  std::string outgoing_;
  FrameReader frames_;
  std::chrono::steady_clock::time_point heard_;
};

}  // namespace reloadlab::sim
