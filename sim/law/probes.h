#pragma once
// Situations that a suite must meet: laws say nothing about what never occurs. Which of them a case meets is read from its evidence,
// whatever became of it; `reloadlab mutants` counts them, and one that no case meets fails.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

struct Probe {
  std::string_view id, sentence;
  bool (*occurs)(const Evidence& evidence);
};

std::span<const Probe> probes();
// The ids of those that occur, in the order of probes().
std::vector<std::string> probes_met(const Evidence& evidence);

}  // namespace reloadlab::sim
