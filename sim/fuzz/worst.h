#pragma once
// Looks for the worst that may happen to a model, where no law is broken: another way in which its update arrives, or its passes come one
// after the other, after which a number is higher. The worst that was found is a case, to be kept as a scenario.
#include <functional>
#include <optional>
#include <string>

#include "reference/base/status.h"
#include "sim/campaign/engine.h"
#include "sim/fuzz/choices.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

// A number that evidence has: by its name, in which unit, and what it is.
struct Objective {
  std::string name, unit, about;
  int64_t (*measure)(const Evidence& evidence) = nullptr;
};
const std::vector<Objective>& objectives();
// Code::usage with the nearest name.
Result<const Objective*> find_objective(const std::string& name);

// The given case with other steps: its first load, and then an update that arrives in another order and other chunks; with series passes,
// and what comes between them.
Case draw_worse(const Case& of, Choices& choices);

struct WorstOptions {
  std::string candidate;
  uint64_t seed = 0;
  std::optional<int64_t> cases;
  std::optional<double> seconds;  // start no case after so long
};

struct Worst {
  Case the_case;
  int64_t value = 0, cases = 0;
  int64_t found = 0;  // the number of the case that had it first
};

// Some cases are drawn, the others are the worst so far with an answer or two changed. Code::data: the case has no checkpoint to update to,
// or the candidate does not play it.
Result<Worst> search_worst(const Case& of, const Objective& objective, const WorstOptions& options, const Engine& engine,
                           const std::function<void(const Worst&)>& told);

}  // namespace reloadlab::sim::fuzz
