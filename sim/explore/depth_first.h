#pragma once
// Depth-first exploration of a program's choices, of all of them or reduced: source-set DPOR with sleep sets (Abdulla, Aronsson, Jonsson,
// Sagonas 2014) over who goes next, where every Mazurkiewicz trace is run to its end once. What else the world chooses is enumerated.
//
//   a node for each choice:   enabled {A B C}   taken B   to do {B C}   asleep {A: what it did here}
//
// Two turns of different actors that conflict directly are a race; to reverse it, an actor that can begin a run with the other order is
// added to what is to be done where the first of the two was chosen. An actor that has been taken sleeps for its siblings until
// a turn conflicts with what it did; a run in which only sleepers could go on is redundant, and ends. Where the world had a choice
// during a turn, what it did is what it did in any case, so that it may wake too early and a trace be run twice.
//
// A host that would ask what it was just told is not so does not go on before it is: a question has each answer once.
#include <functional>
#include <set>

#include "sim/explore/program.h"
#include "sim/explore/trace.h"

namespace reloadlab::sim::explore {

struct Limits {
  int64_t executions = 1'000'000;
  double seconds = 60;
};

struct DepthFirst {
  bool reduced = true;
  int64_t preemptions = -1;  // at most so many in a run; -1: any number. REQUIRES !reduced where it is given.
  Limits limits = {};
};

struct Coverage {
  int64_t executions = 0;
  std::set<uint64_t> traces;  // the marks of those that were run to their end
  // Executions that showed nothing new: ended because only sleepers could go on, or of a trace that had been run.
  int64_t redundant() const { return executions - static_cast<int64_t>(traces.size()); }
  double seconds = 0;
  bool exhausted = false;
  bool cut_off = false;  // by a limit, before all that was asked for had run
  std::string limit;     // what was reached where it is not exhausted
};

// Calls `visit` with each run that came to its end; it says whether to go on.
Coverage depth_first(const Program& program, const DepthFirst& how, const std::function<bool(const Execution&)>& visit);

}  // namespace reloadlab::sim::explore
