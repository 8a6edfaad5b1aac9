#pragma once
// From choices to a case: the one place that says what a fuzzed case of a system is made of. Start here.
//
//   seed ─ choices.h ─▶ swarm.h ─▶ draw_layers.h ─▶ draw_steps.h ─▶ Case ─ emit, parse ─▶ the same Case, as files have it
#include <optional>
#include <string>
#include <vector>

#include "reference/base/status.h"
#include "sim/fuzz/choices.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

// The systems that cases are drawn for.
const std::vector<std::string>& drawn_systems();

// The case of these choices as it was drawn, for who plays thousands: writing and reading it takes as long as playing it.
// `on`: the world in whose place (cpu, sim) it is; absent: what it needs. REQUIRES one of drawn_systems().
Case draw_case(const std::string& system, Choices& choices, std::optional<WorldKind> on = {});

// The case of these choices, as a scenario file gives it: what was drawn is written down and read. A case that is no scenario is a defect
// of the drawing: Code::failed. REQUIRES one of drawn_systems().
Result<Case> generate(const std::string& system, Choices& choices, std::optional<WorldKind> on = {});

// The seed of one case of a campaign.
uint64_t seed_of(uint64_t campaign_seed, uint64_t index);

// Which programs draw the same cases from the same choices: of the schema, and of some cases.
uint32_t generator_print(const std::string& system);

}  // namespace reloadlab::sim::fuzz
