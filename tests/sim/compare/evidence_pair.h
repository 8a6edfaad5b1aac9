#pragma once
// What two worlds say of a pass of two layers on one rank: reach, broadcast, read of each, on two communicators.
#include "sim/compare/agreement.h"

namespace reloadlab::sim {

Evidence evidence_in(WorldKind world);
// The rank's own execution.
RankRun& run_of(Evidence& evidence);
// The row of that name; fails where there is none.
Row row_of(const std::vector<Row>& rows, const std::string& what);

}  // namespace reloadlab::sim
