#pragma once
// Which executions a case needs: the warm one, cold loads to compare with, and one for each variation that its laws ask for.
#include <set>
#include <vector>

#include "sim/evidence/evidence.h"
#include "sim/replay/session.h"

namespace reloadlab::sim {

using Kinds = std::set<Variation::Kind>;

// The variations that the case's laws need; every law's when it names none.
Kinds needed_variations(const Case& the_case);

// The steps of the warm execution as a variation runs them; empty when the variation makes no sense for these steps (other orders
// of an update that is meant to fail, say).
std::vector<Step> steps_of(const Variation& variation, const Case& the_case, const std::vector<Step>& warm);

// Variations to run after the warm one, given the chances for faults that it offered in its last update.
struct Planned {
  const std::vector<Step>& warm;
  const std::vector<RankPlan>& ranks;
};
std::vector<Variation> variations(const Kinds& needed, const Case& the_case, const Catalogue& catalogue, const Planned& planned,
                                  const Chances& chances);

// The step whose update the fault variation strikes, and whose chances count: the last reload that is meant to succeed; -1: none.
int fault_step(const std::vector<Step>& warm);

}  // namespace reloadlab::sim
