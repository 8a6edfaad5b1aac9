#pragma once
// trace.perfetto.json: executions as https://ui.perfetto.dev shows them, in Chrome's trace event format.
//
//   process   a rank of an execution
//   thread    its host, and each of its streams
//   flow      from where a stream comes to a point to where another one waits for it; and along each collective, from rank to rank
//   counter   bytes that the rank held at the end of each step, and at most
//
// Streams of modelled devices have times. Hosts have an order alone: an event of theirs takes a microsecond, and their process is another
// one.
#include <span>
#include <string>

#include "sim/report/trace_file.h"

namespace reloadlab::sim {

std::string perfetto_json(std::span<const TracedExecution* const> executions);

}  // namespace reloadlab::sim
