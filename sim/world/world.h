#pragma once
// Where a case runs: how many ranks there are, on which devices their tensors live, how their work is interleaved, how partial
// results meet, and whose memory is whose. Replay asks a World for all of it and knows no device by name.
//
//   cpu    ranks that do not talk, one after the other on plain CPU; partial sums are added in rank order
//   meta   the same with tensors that have shapes and no bytes; where devices are asked for, sim without bytes
//   sim    ranks as threads on modelled devices with streams and events (modelled/)
//   cuda   ranks that do not talk, one after the other on one GPU (cuda/)
//
// Worlds with devices (streams, events, graphs, process groups) implement this interface too, and offer the rest as Devices: each_rank()
// may run ranks as threads or be one process's only rank, sum() may be a collective.
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "reference/base/status.h"
#include "sim/scenario/case.h"
#include "sim/world/account.h"
#include "sim/world/devices.h"
#include "sim/world/foreign_memory.h"
#include "sim/world/graph.h"
#include "sim/world/modelled/rates.h"
#include "sim/world/seat.h"
#include "sim/world/weight_pool.h"

namespace reloadlab::sim {

class World {
 public:
  virtual ~World() = default;
  virtual WorldKind kind() const = 0;
  virtual int ranks() const = 0;                            // all ranks of the case
  virtual const std::vector<int>& local_ranks() const = 0;  // those that this process runs
  virtual c10::Device device(int rank) const = 0;
  // True where tensors have bytes that can be compared.
  virtual bool has_bytes() const = 0;
  // Runs body(rank) for every local rank and returns when all have ended. Ranks may interleave where they communicate.
  virtual void each_rank(const std::function<void(int rank)>& body) = 0;
  // The sum over all ranks of one partial result per local rank, added in rank order.
  virtual at::Tensor sum(const std::vector<at::Tensor>& local_partials) = 0;
  // The account of the rank's memory. Fresh at the start of an execution.
  virtual AccountPtr account(int rank) const = 0;
  // For the calling rank's device; null: this world has no graphs.
  virtual std::unique_ptr<DeviceGraph> make_graph(const GraphOptions&) { return nullptr; }
  virtual Devices* devices() { return nullptr; }         // null: there are none
  virtual SeenOrder* seen_order() { return devices(); }  // null: nobody looks
  // Memory of another process, to be mapped on the rank's device. Code::unsupported where this world has none.
  virtual Result<std::unique_ptr<ForeignMemory>> foreign_memory(int rank, int64_t bytes) {
    (void)rank, (void)bytes;
    return Status(Code::unsupported, "this world has no memory of another process");
  }
  // What was touched of memory that is mapped no more, since the last call, where that is no death; empty: nothing.
  virtual std::string touched() { return {}; }
  // Of a local rank; null: this world has no memory that could sleep.
  virtual WeightPool* weight_pool(int) { return nullptr; }
  // Why its devices can do nothing any more; empty where they can. On real ones it waits for all that is under way.
  virtual std::string broken() const { return {}; }
};

// A world for one execution.
struct WorldRequest {
  WorldKind kind = WorldKind::cpu;
  int ranks = 1;
  std::vector<int> local;  // those of them that are run, ascending
  int poison = 0;          // the pattern of fresh memory (poison_byte())
  bool devices = false;    // streams, events and communicators are needed
  bool order = false;      // what orders accesses is looked at, where there are streams
  // Modelled devices: a collective takes that long and nothing else any time; otherwise what a device of today takes.
  std::optional<int64_t> collective_picoseconds;
  Collectives collectives;  // modelled devices
  // For whoever compares times: they are taken, which real devices otherwise do not do, since they differ from run to run.
  bool timed = false;
  std::optional<modelled::Rates> rates;                // modelled devices: what things take, in the order that these give (`timed`)
  std::optional<Seat> seat;                            // cuda: this process is that rank, and the only local one
  GpuAllocator allocator = GpuAllocator::environment;  // cuda: where the process has another one by now, there is no world
  std::optional<uint64_t> delays;                      // cuda: streams lose time where this seed says
};
// Code::unsupported for kinds not built in.
Result<std::unique_ptr<World>> make_world(const WorldRequest& request);
using WorldMaker = std::function<Result<std::unique_ptr<World>>(const WorldRequest&)>;

}  // namespace reloadlab::sim
