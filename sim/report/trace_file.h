#pragma once
// trace.jsonl read back: what ranks and streams of one execution did.
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::sim {

struct TracedEvent {
  std::string event, layer, text;
  int64_t step = -1, numel = 0, value = 0;
  int64_t storage = -1;  // of a read: where it lies
};
struct TracedStep {
  int rank = -1;
  std::string stream, operation, about;
  int64_t step = -1, model = 0;  // what it is about
  int64_t start = 0, end = 0;
  int64_t point = -1;  // that it records or waits for, or that its end marks
};
// What a step of a rank came to, and what the rank held in bytes: at most, and at its end.
struct TracedOutcome {
  int64_t step = -1;
  std::string status;  // "ok", or what was said instead
  int64_t peak = 0, live = 0;
};
// Where a tensor lies from the end of the step on; empty: it is gone.
struct TracedPlace {
  int64_t step = -1;
  std::string tensor, place;
};
struct TracedRank {
  int number = 0;
  std::vector<TracedEvent> events;
  std::vector<TracedOutcome> outcomes;
  std::vector<TracedPlace> places;
};
struct TracedRace {
  int64_t number = 0;  // from 1
  int rank = -1;
  TracedStep first, second;
  bool first_writes = false, second_writes = false;
  std::string witness, reader, schedule;
};
struct TracedSeries {
  std::string name;
  int64_t prefetch = 0;
  std::vector<std::string> layers;
};
// Of one model of a case; the timeline and the races of all of them are the first one's.
struct TracedExecution {
  std::string id, candidate, execution, world;
  int64_t model = 0, models = 1;
  std::vector<std::string> steps;
  std::vector<TracedSeries> series;
  std::vector<TracedRank> ranks;  // by number
  std::vector<TracedStep> timeline;
  std::vector<TracedRace> races;
  std::string step_name(int64_t step) const;  // "1 pass"
};

// Executions of these cases, in the file's order. Code::data for a file that is no trace.
Result<std::vector<TracedExecution>> read_trace(const std::filesystem::path& file, const std::set<std::string>& ids);

}  // namespace reloadlab::sim
