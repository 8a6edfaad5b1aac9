#pragma once
// Cases played in two worlds, one after the other, and held against each other.
#include <functional>
#include <optional>

#include "sim/campaign/select.h"
#include "sim/compare/agreement.h"

namespace reloadlab::sim {

struct CompareOptions {
  Selection selection;  // without a world
  WorldKind worlds[2] = {WorldKind::sim, WorldKind::cuda};
  std::optional<modelled::Rates> rates;  // none: those of the table
};

struct Compared {
  std::string id, candidate;
  std::string left_out;  // why it was not played; empty where it was
  std::vector<Row> rows;
};

bool differs(const Compared& one);

// Tells of each as it is done. Code::usage, Code::data: nothing was played.
Status compare_worlds(const CompareOptions& options, const Engine& engine, const std::function<void(const Compared&)>& tell);

}  // namespace reloadlab::sim
