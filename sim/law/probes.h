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
  std::string_view drawn;  // systems whose drawn cases meet it
};

std::span<const Probe> probes();
// The ids of those that a campaign of the system has to meet.
std::vector<std::string_view> probes_of_drawn(std::string_view system);
// The ids of those that occur, in the order of probes().
std::vector<std::string> probes_met(const Evidence& evidence);

}  // namespace reloadlab::sim
