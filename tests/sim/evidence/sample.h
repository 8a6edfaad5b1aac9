#pragma once
// Evidence in which every field of every struct holds something else than its default.
#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

Evidence sample_evidence();

}  // namespace reloadlab::sim
