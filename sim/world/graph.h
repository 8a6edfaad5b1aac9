#pragma once
// What is issued between begin and end is recorded, and queued again by each replay, without any host code.
namespace reloadlab::sim {

class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
  // On the calling rank's current stream, or one that takes its place until the end where that cannot be captured.
  virtual void capture_begin() = 0;
  virtual void capture_end() = 0;  // throws c10::Error where a stream that branched off was not joined
  virtual void replay() = 0;
};

struct GraphOptions {
  // Temporaries of both lie in the same memory, as long as one of them lives; null: in memory of its own. One of the same world, captured.
  const DeviceGraph* shares_pool_with = nullptr;
  bool global_mode = false;  // nothing in the process may disturb the capture, instead of nothing in its thread; real devices
};

}  // namespace reloadlab::sim
