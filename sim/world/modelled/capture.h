#pragma once
// A capture records what is issued to its streams instead of queueing it, as CUDA graphs do: it begins on one stream, spreads to every
// stream that waits for a point of it, and must be joined into the first stream again before it ends. A Graph queues the recorded
// actions anew, without any host code: same addresses, fresh points and collectives.
#include <memory>
#include <vector>

#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {

// The memory of temporaries, of one graph or of several that share it.
struct CapturePool {
  CapturePool() = default;
  CapturePool(const CapturePool&) = delete;
  CapturePool& operator=(const CapturePool&) = delete;
  ~CapturePool();  // gives it back
};

class Capture {
 public:
  struct Captured {
    ActorId stream;
    Action action;
    LabelPtr label;  // what its host was about
  };
  // `pool`: what its temporaries come from.
  Capture(Stream& origin, const CapturePool* pool);
  const CapturePool* pool() const { return pool_; }
  // Its streams run again; nothing can join it any more.
  void end();
  // Adds an action of one of the capture's streams. Throws c10::Error where CUDA would refuse it.
  void add(const std::shared_ptr<Capture>& self, Stream& stream, Action action, LabelPtr label);
  const Stream& origin() const { return *origin_; }
  std::string unjoined() const;  // the stream that was forked and never joined; empty where there is none
  std::vector<Captured>& actions() { return actions_; }
  const std::vector<Stream*>& streams() const { return streams_; }

 private:
  Clock& clock_of(const Stream& stream);
  Stream* origin_;
  const CapturePool* pool_;
  std::vector<Stream*> streams_;  // in the order in which they joined
  std::vector<std::pair<ActorId, Clock>> clocks_;
  std::vector<Captured> actions_;
  bool ended_ = false;
};

class Graph {
 public:
  // `shares`: a graph whose pool it takes its temporaries from, too; null: it has one of its own.
  explicit Graph(const Graph* shares = nullptr);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  // What the calling host issues to its current stream from now on is recorded. REQUIRES that stream not to be capturing.
  void capture_begin();
  // Throws c10::Error where a forked stream was not joined; the capture is then over and the graph empty.
  void capture_end();
  // Queues the graph on the calling host's current stream. REQUIRES a finished capture.
  void replay();

 private:
  std::shared_ptr<CapturePool> pool_;
  std::shared_ptr<Capture> capture_;
  bool finished_ = false;
  std::vector<std::pair<ActorId, Stream*>> branches_;  // captured stream -> the one that a replay uses; the origin is not among them
};

}  // namespace reloadlab::sim::modelled
