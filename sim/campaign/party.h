#pragma once
// Cases whose ranks are processes: as many workers as ranks, each of which plays its own, side by side; what they tell is put together.
// They live for as many cases of so many ranks as go well: after one that left anything under way, or where one of them died since, comes a
// fresh set. One that dies in a case is that case's: lost.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/campaign/engine.h"

namespace reloadlab::sim {

struct PartyOptions {
  std::vector<std::string> command;  // that makes the program a worker
  double silence_seconds = 60;       // without anything heard from a rank: it is ended
  std::string log;                   // what ranks print; empty: nowhere
};

// The engine, whose replay() deals out what needs a process for each rank.
Engine with_rank_processes(Engine engine, PartyOptions options);

// Whether it needs one: its ranks talk, on real devices.
bool needs_rank_processes(const Case& the_case);

}  // namespace reloadlab::sim
