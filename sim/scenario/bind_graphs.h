#pragma once
// From checked `capture` and `replay` steps of models without series to Graphs.
#include <optional>
#include <vector>

#include "sim/scenario/case.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {

class GraphBinder {
 public:
  // No world: it is not known, and nothing is said about it.
  GraphBinder(std::optional<WorldKind> world, Diagnostics& diagnostics) : world_(world), diagnostics_(diagnostics) {}
  // Both REQUIRE that the node passed check_object() as `capture`, `replay`.
  Graphs capture(const Node& own);
  Graphs replay(const Node& own) const;  // of what was captured last
  // With series a pass is captured, and sizes are no matter.
  void refuse_sizes(const Node& own) const;

 private:
  std::optional<WorldKind> world_;
  Diagnostics& diagnostics_;
  std::vector<int64_t> captured_;
};

}  // namespace reloadlab::sim
