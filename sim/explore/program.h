#pragma once
// What is explored: a program that makes a fresh machine with the chooser it is given, runs, and says how it ended. The same choices
// must give the same run; what hosts share beside the machine (files, globals, a store) has to go through Machine::host_access.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/world/modelled/choice.h"
#include "sim/world/modelled/turn.h"
#include "sim/world/order/races.h"

namespace reloadlab::sim::explore {

// Memory in which, when all is over, lies what was read or made from wrong bytes.
struct Wrong {
  Region where;
  std::string what;  // that was read
};

struct Outcome {
  std::string verdict;  // what is wrong; empty where nothing is
  std::string state;    // what was read and left behind, or a digest of it
  int ranks = 1;        // of the machine, to name its actors
  std::vector<Race> races;
  std::vector<Wrong> wrong = {};
  bool stopped = false;  // it came to no end of its own: what it would have read is not known
};
using Program = std::function<Outcome(std::unique_ptr<modelled::Chooser>)>;

// One choice of a run.
struct Decision {
  modelled::ChoiceKind kind = modelled::ChoiceKind::next;
  std::vector<modelled::Option> options;
  uint32_t taken = 0;
  int64_t turn = 0;  // the turn that it chose, or during which the world had a choice

  ActorId actor() const { return options[taken].actor; }
  uint32_t width() const { return static_cast<uint32_t>(options.size()); }
};

struct Execution {
  Outcome outcome;
  std::vector<Decision> decisions;
  std::vector<modelled::Turn> turns;
  bool ended_by_chooser = false;

  modelled::Schedule schedule() const;
};

// Runs the program with these choices, and keeps all that there was to see. A c10::Error of a program that the chooser did not end
// is a verdict.
Execution run_with(const Program& program, std::unique_ptr<modelled::Chooser> chooser);

// Leaving an actor that could have gone on.
bool preempts(const Execution& run, const Decision& decision);
int64_t preemptions(const Execution& run);

}  // namespace reloadlab::sim::explore
