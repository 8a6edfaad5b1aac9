#pragma once
// CUDA graphs by LibTorch's hand, with its memory pools.
#include <memory>

#include "sim/world/graph.h"

namespace reloadlab::sim::cuda {

std::unique_ptr<DeviceGraph> make_graph(const GraphOptions& options);

}  // namespace reloadlab::sim::cuda
