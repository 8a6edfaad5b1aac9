#pragma once
// Graphs of one rank's forwards, of a model without series. A graph holds, beside each layer's own forward, a checksum of every tensor
// that layers hold; what a replay leaves of them is what the graph read. It knows addresses and no tensors, as any graph: what a reload
// moves, it reads where it was.
#include <functional>
#include <memory>
#include <vector>

#include "reference/model/layer.h"
#include "sim/evidence/evidence.h"
#include "sim/replay/census.h"
#include "sim/world/world.h"

namespace reloadlab::sim {

// Records what is issued by the call. Whatever comes out of that the capture ends; why the call failed is told, and not what comes of that
// at the end. A failed graph is of no use.
Status record_into(DeviceGraph& graph, const std::function<Status()>& issue);

class GraphPlayer {
 public:
  // All of it outlives the player. Every call is made with the rank's device current.
  GraphPlayer(model::Model& model, World& world, int rank, BlobStore& blobs)
      : model_(model), world_(world), device_(world.device(rank)), blobs_(blobs) {}

  // Graphs of the sizes, in place of those of an earlier capture. Proves that they read what lies there: with every byte turned over,
  // checksums are others. Code::failed where a forward cannot be captured, or the proof fails.
  Status capture(const Graphs& graphs);
  // Tells what the graphs read. Code::failed where there are none.
  Status replay(const Graphs& graphs, int step, std::vector<RankRun::GraphRead>& reads);

 private:
  struct Sum {
    std::string path;
    at::Tensor value;  // one number, that each replay writes anew
    bool proven;       // indices are not turned over: what reads them would leave its memory
  };
  struct Output {
    model::LayerPtr layer;
    at::Tensor input, value;
  };
  struct One {
    int64_t size;
    std::unique_ptr<DeviceGraph> graph;
    std::vector<Output> outputs;
    std::vector<Sum> sums;
  };

  One warmed_up(int64_t size) const;
  Status record(One& one, const Graphs& graphs);
  Status prove(One& one) const;
  at::Tensor factors(int64_t count);
  static void run(One& one);

  model::Model& model_;
  World& world_;
  const c10::Device device_;
  BlobStore& blobs_;
  at::Tensor factors_;  // of checksums, for the largest tensor: every graph reads it
  std::vector<One> graphs_;
};

}  // namespace reloadlab::sim
