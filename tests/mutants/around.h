#pragma once
// Mutants that are thin wrappers around a reload of either system, the hardened one if it does not say otherwise: one call of it is
// spoiled, in a line or two, and the rest is the reference itself.
#include <span>
#include <string>
#include <string_view>

#include "sim/candidate/candidate.h"

namespace reloadlab::mutants {

struct Around {
  std::string_view name;             // "oq_scale_of_first"
  std::string_view system, profile;  // what it is around
  std::string_view law;              // that it is for
  std::string_view arrival;          // of the loads that show it, on modelled devices; empty: any
};
std::span<const Around> around_mutants();
// Code::usage where there is none of that name.
Result<sim::CandidateInfo> make_around(std::string_view name);

}  // namespace reloadlab::mutants
