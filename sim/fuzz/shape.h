#pragma once
// What a case did, without what makes it one of many: a hash of the kinds of events of each rank, in order. Two cases of one shape went the
// same way, with other sizes, names and values; one of a shape that was never seen went where no case had been.
#include "sim/evidence/evidence.h"

namespace reloadlab::sim::fuzz {

uint64_t shape_of(const Evidence& evidence);

}  // namespace reloadlab::sim::fuzz
