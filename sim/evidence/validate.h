#pragma once
// What laws and reports rely on and the types do not say. Evidence that replay made holds all of it; evidence that was read back or
// sent by a worker process is checked before anyone looks at it.
#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

// Code::data with the place of the first offence:
//   ranks agree everywhere · steps, layers and loads are named by indices that exist · shapes are not negative and contents have
//   exactly their size · strides fit their shapes · placements lie within their delivery and have one dimension per dimension.
Status validate(const Evidence& evidence);

}  // namespace reloadlab::sim
