#pragma once
// Traces to look at, made by hand.
#include <fmt/format.h>

#include <sstream>
#include <string>
#include <vector>

#include "sim/report/trace_file.h"

namespace reloadlab::tests {

// Every rank reaches so many layers in a pass and receives those that it does not own.
inline sim::TracedExecution ring(int ranks, int layers) {
  sim::TracedExecution run{.id = "ring", .candidate = "x", .execution = "warm", .world = "sim", .steps = {"load", "pass"}};
  const auto name = [&](int layer) { return fmt::format("blocks.{}.o_proj", layer % layers); };
  run.series = {{"o", 1, {}}};
  for (int layer = 0; layer < layers; ++layer) run.series[0].layers.push_back(name(layer));
  for (int rank = 0; rank < ranks; ++rank) {
    std::vector<sim::TracedEvent> events;
    for (int layer = 0; layer < layers; ++layer) {
      const bool own = (layer + 1) % ranks == rank;
      events.push_back({.event = "reach_begin", .layer = name(layer), .step = 1});
      events.push_back({.event = "collective",
                        .layer = own ? name(layer + 1) : "",
                        .text = fmt::format("broadcast root {} of all", (layer + 1) % ranks),
                        .step = 1,
                        .value = 10 + layer % 2});
      events.push_back({.event = "reach_end", .layer = name(layer), .step = 1});
    }
    run.ranks.push_back({.number = rank, .events = std::move(events)});
  }
  for (int layer = 0; layer < layers; ++layer)
    for (int rank = 0; rank < ranks; ++rank)
      for (const char* stream : {"stream 0", "stream 6"})
        run.timeline.push_back({.rank = rank,
                                .stream = fmt::format("{} of sim:{}", stream, rank),
                                .operation = "aten::copy_",
                                .about = "step 1: forward of " + name(layer),
                                .step = 1});
  return run;
}

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

}  // namespace reloadlab::tests
