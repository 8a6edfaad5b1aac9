#pragma once
// An engine without tensors: candidates are named after what they do, so that campaigns, workers and reports can be tested alone.
#include "sim/campaign/engine.h"

namespace reloadlab::tests {

// Candidates of system "layerwise":
//   fake@good
//   fake@bad       breaks law_a at step 1 of the warm execution; fake@moving at step 0
//   fake@flaky     breaks it as fake@bad does, in the second of each three runs
//   fake@costly    copies three times a step, where others copy twice
//   fake@breaks_once  replay fails with an exception, the second time
//   fake@unsure    law_b is inconclusive
//   fake@refuses   step 1 ends with an error
//   fake@throws    an exception crosses the boundary
//   fake@unlike    two runs differ; fake@hidden: in their cold execution
//   fake@crash     in step 1, as abort, exit, loop, nonsense and lies: what a worker process has to survive
//   fake@one_dies  the same on rank 1 alone
//   fake@named     the last event of each rank has the number of its process for a value
//   fake@forks     starts a process in each step, whose number is the last event's value, and rank 1 crashes behind its last step
//   fake@meets     replay fails where another process runs it at the same time
//   fake@spoils    replay fails with Code::lost behind its last step
//   fake@no_data   replay fails with Code::data; fake@not_here with Code::unsupported, fake@broken with an exception
sim::Engine fake_engine();

// Where ranks meet that have nothing to tell each other.
std::unique_ptr<sim::MeetingPlace> no_place();

// How long to wait for a candidate: not long for one that never comes back, and for others as long as a busy machine may need.
double silence_seconds(const std::string& candidate);

// A scenario file with two cases (1 and 2 ranks) that the real parser reads.
std::string small_scenario(const std::string& name, const std::string& about = "What LW5 is about.", const std::string& tag = "smoke");

}  // namespace reloadlab::tests
