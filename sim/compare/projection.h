#pragma once
// What a rank did, without what differs from world to world: addresses, serial numbers, times.
//
//   lane   a stream that reads, a communicator, or the host; what is in one lane is in order
//   place  memory that is read, sent or received into; what touches one place is in order
//
// Two runs are the same where their lanes and their places are: whatever else stands in another order, neither of them orders.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

struct Done {
  std::string lane;   // "communicator all", "stream 0", "host"
  std::string what;   // "read of blocks.0.o_proj.weight at A", "broadcast root 1 of all, 64 bytes, blocks.1.o_proj"
  std::string place;  // "stream 0, 3": the memory that the fourth operation of that lane was the first to touch; empty: none
  size_t host = 0;    // so many things the host had done before it issued this one
  int step = -1;
};

struct Projection {
  std::vector<Done> all;  // as they were issued
  std::map<std::string, std::vector<const Done*>> lanes;
  std::map<std::string, std::vector<const Done*>> places;
};

using HasVersion = std::function<bool(const RankRun::Read&)>;

// Of what belongs to steps before `until`. `has_version`: reads that are told with the checkpoint that they return, which takes bytes.
Projection project(const Evidence& evidence, const Execution& execution, size_t rank, int until, const HasVersion& has_version);

}  // namespace reloadlab::sim
