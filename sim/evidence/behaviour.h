#pragma once
// What a candidate did in the warm execution of a case, in lines that another candidate's can be held against: no serial number, no
// text of a message, and nothing that the candidate says of itself.
//
//   errors      which calls fail, and which are left by an exception
//   bytes       what every tensor holds after each step, and what forwards and graphs read and give
//   addresses   whether each tensor lies where it lay after the step before
//   completion  the load call in which each layer's post-load step ran and its kernel tensors were written, each for the last time
#include <string>
#include <string_view>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

inline constexpr std::string_view kAspects[] = {"errors", "bytes", "addresses", "completion"};

struct BehaviourLine {
  std::string aspect;  // one of kAspects
  std::string place;   // "rank 0, step 2: blocks.0.qkv.weight"; what has the same place is compared
  std::string says;    // "kept"
};
using Behaviour = std::vector<BehaviourLine>;

Behaviour behaviour_of(const Evidence& evidence);

struct Disagreement {
  std::string aspect, place;
  std::string one, other;   // what they say there; "nothing" where one has no such place
  std::string reason = {};  // of those who know it
};
// The first line of that aspect in which they differ, if any.
std::vector<Disagreement> first_in(std::string_view aspect, const Behaviour& one, const Behaviour& other);
// The first of each aspect in which they differ, in the order of kAspects.
std::vector<Disagreement> disagreements(const Behaviour& one, const Behaviour& other);

}  // namespace reloadlab::sim
