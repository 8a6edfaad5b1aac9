#pragma once
// Lists under `world`, and `vary`, multiply: one file becomes several trees, each with every list resolved to one value.
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/case.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {

struct Variant {
  NodePtr tree;  // with the values of `vary` put in place
  WorldKind world = WorldKind::cpu;
  int ranks = 1;
  GpuAllocator allocator = GpuAllocator::environment;
  std::optional<uint64_t> delays;
  std::string label;  // "ranks=2,order=reversed"; empty when nothing multiplies
};

// In the order world, ranks, allocator, delays, then `vary` as listed, the last counting fastest. Empty after reporting when a path leads
// nowhere or there are too many cases. REQUIRES that `world` and `vary` passed check_value().
std::vector<Variant> expand_matrix(const NodePtr& root, Diagnostics& diagnostics);

}  // namespace reloadlab::sim
