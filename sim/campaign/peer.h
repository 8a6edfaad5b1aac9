#pragma once
// The process of one rank as the campaign sees it, wherever it runs. Nothing here blocks for long.
#include <poll.h>

#include <optional>
#include <string>
#include <string_view>

#include "sim/campaign/frame.h"

namespace reloadlab::sim {

class Peer {
 public:
  virtual ~Peer() = default;  // ends it and what it started
  // What poll() is to look for; a file of -1: nothing.
  virtual pollfd watched() const = 0;
  // Also begins to count its silence anew.
  virtual void send(FrameKind kind, std::string_view body) = 0;
  // Writes and reads what it can without waiting.
  virtual void pump() = 0;
  // The next message, if one is whole. Code::data: it talks nonsense.
  virtual Result<std::optional<Frame>> next() = 0;
  // Nothing will come from it any more: it is dead or about to be.
  virtual bool gone() const = 0;
  virtual double silent_seconds() const = 0;
  // Ends it and says how it ended: "killed by signal 11 (SIGSEGV)", "left with exit code 3".
  virtual std::string end() = 0;
  // What it has written down of the case that it plays, or played last (trail.h).
  virtual std::string trail() = 0;
};

}  // namespace reloadlab::sim
