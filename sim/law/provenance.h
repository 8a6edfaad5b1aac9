#pragma once
// Which source element landed where, read from digit executions: in run j every delivered element was digit j of its own number
// (sim/checkpoint/digits.h), so what stands in a slot, over all runs, spells where it came from.
#include "sim/law/reading.h"

namespace reloadlab::sim {

// Judges every slot that an update of the digit executions delivered to, at the entry of its layer's post-load step, or, where the
// layer has none, as it stands after the update. Elements that no load covers are not judged: padding, or what was there before.
std::optional<Finding> judge_provenance(const Evidence& evidence, Tally& tally);

}  // namespace reloadlab::sim
