#pragma once
// What a case did, without what makes it one of many: a hash of which kinds of events followed which, in which kinds of steps, and how
// these ended. Two cases of one shape went the same ways, with other sizes, names and values, and how often does not count; one of a shape
// that was never seen went a way, or put ways together, as no case had.
#include "sim/evidence/evidence.h"

namespace reloadlab::sim::fuzz {

uint64_t shape_of(const Evidence& evidence);

}  // namespace reloadlab::sim::fuzz
