#pragma once
// The worker's side of isolation: `reloadlab worker` serves jobs on a socket until the campaign closes it.
#include "sim/campaign/engine.h"

namespace reloadlab::sim {

// The socket's number in the worker, by agreement.
inline constexpr int kWorkerSocket = 3;
// And that of the file in which it writes down what a rank does (trail.h).
inline constexpr int kWorkerTrail = 4;

// Returns the process's exit code.
// `silence_seconds`: after which it tells the campaign that the candidate hangs, and where that stands.
int serve_jobs(int socket, const Engine& engine, double silence_seconds = 60);

// How both say it.
std::string no_step_began(double seconds);

// A process that a campaign has started (worker_process.h) does not outlive it, whatever the candidate is doing. False where the campaign
// is dead already: of that no signal comes.
bool is_tied_to_campaign(int socket);

}  // namespace reloadlab::sim
