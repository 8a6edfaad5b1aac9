#pragma once
// trace.jsonl read back: what ranks and streams of one execution did.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::sim {

struct TracedEvent {
  std::string event, layer, text;
  int64_t step = -1, numel = 0, value = 0;
};
struct TracedStep {
  int rank = -1;
  std::string stream, operation, about;
  int64_t start = 0, end = 0;
};
struct TracedRace {
  int rank = -1;
  TracedStep first, second;
  bool first_writes = false, second_writes = false;
  std::string witness, reader, schedule;
};
struct TracedExecution {
  std::string id, candidate, execution;
  std::vector<std::pair<int, std::vector<TracedEvent>>> ranks;  // by number
  std::vector<TracedStep> timeline;
  std::vector<TracedRace> races;
};

// Executions of the case, in the file's order. Code::data for a file that is no trace.
Result<std::vector<TracedExecution>> read_trace(const std::filesystem::path& file, const std::string& id);

}  // namespace reloadlab::sim
