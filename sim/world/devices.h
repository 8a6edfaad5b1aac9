#pragma once
// What worlds with devices offer beside tensors: ranks that run at the same time, communicators, and what was seen of order
// and time. Streams and events are LibTorch's.
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reference/model/c10d_names.h"
#include "sim/world/about.h"

namespace reloadlab::sim {

// One of two accesses to the same bytes that nothing orders.
struct RacingAccess {
  int rank = -1;          // whose device
  std::string stream;     // "stream 2 of sim:1"
  std::string operation;  // "broadcast #3 of all"
  About about;            // as Devices::label() said
  bool writes = false;
};
struct SeenRace {
  RacingAccess first, second;  // in the order of this run
  bool turned = false;         // hosts issued them the other way round
};

// Something that a stream did. Times are picoseconds of the device's clock.
struct DeviceStep {
  int rank = -1;
  std::string stream, operation;
  About about;
  int64_t start = 0, end = 0;
  int64_t point = -1;  // that it records or waits for, or that its end marks, by its number; -1: none
};

class SeenOrder {
 public:
  virtual ~SeenOrder() = default;
  virtual std::vector<SeenRace> races() const = 0;
  // Why there may be races that races() does not know; empty: all that orders and touches the local ranks' memory was seen.
  virtual std::string unseen() const { return {}; }
  // In the order in which they were done.
  virtual std::vector<DeviceStep> timeline() const = 0;

  // What the calling rank is about, for what it issues from here on.
  virtual void label(About about) = 0;
};

class Devices : public SeenOrder {
 public:
  // Runs body(rank) for every local rank, all at the same time, then what is left in their streams. `why` is empty where all came to
  // their end; otherwise `waits` has a line for each rank and stream that waits, and `in_step` is the earliest step that one of them is
  // about, as label() said. What a body throws is thrown here. Where a world has schedules, those of this run are the same each time unless
  // it is `open`.
  struct Ended {
    std::string why;
    std::vector<std::string> waits = {};
    int in_step = -1;  // none, or nobody said
  };
  virtual Ended run(const std::function<void(int rank)>& body, bool open) = 0;
  // Whether the calling rank was given up, within run(): all that still goes wrong there is its way out.
  virtual bool gave_up() const { return false; }
  // The harness's own doings on the devices when a run is over: no schedule has them.
  virtual void apart(const std::function<void()>& doings) = 0;
  // The calling rank's end of the communicator. Names with equal ranks are one communicator; no ranks: all.
  virtual c10::intrusive_ptr<c10d::ProcessGroup> group(const std::string& name, const std::vector<int64_t>& ranks) = 0;
  // One for each name, shared by all ranks.
  virtual c10::intrusive_ptr<c10d::Store> store(const std::string& name) = 0;
  // The calling rank's current stream reads the tensor's bytes: a copy on the device; undefined where devices have no bytes.
  virtual at::Tensor read(const at::Tensor& tensor) = 0;
  // A CPU tensor with the bytes that the tensor has now, whatever is under way; for after a run. Throws where there are none.
  virtual at::Tensor bytes_now(const at::Tensor& tensor) const = 0;
  // Work of that duration on the calling rank's current stream.
  virtual void spend(int64_t picoseconds) = 0;
  // Remembers when the calling rank's current stream comes to this point; time_of() tells after the run, and -1 where it never did.
  virtual int64_t mark() = 0;
  virtual int64_t time_of(int64_t mark) const = 0;
  // Whether more is marked than laws ask for: what reads waited.
  virtual bool takes_times() const = 0;
};

}  // namespace reloadlab::sim
