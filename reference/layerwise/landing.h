#pragma once
// landing=whole, direct: layers that hold what was loaded as it came need no materialized tensors. Their loads are copied from where they
// lie straight into the kernel tensors, if all that the loaders did was to copy from what they were given:
//
//   whole    when the group is complete; before that nothing of it is in a kernel tensor
//   direct   as they come; nothing is buffered. What a loader does not just copy is buffered from then on, with all that follows for that
//            group, and replayed over what has landed
//
// A group does not land where a post-load step or a deferred layer's own step looks at its tensors, where a kernel tensor lies otherwise
// than the recorded one, or where a loader has registered a tensor of its own: it is materialized.
#include "reference/layerwise/load.h"

namespace reloadlab::layerwise {

// The call's copies, if they and nothing else are what the load does; none: it has to be replayed by its loader.
PlainCopies landing_copies(const Core& core, const LoadCall& call, Counted& counted);

// landing=whole: the complete group lands, if it can. False: nothing has happened.
bool land_whole(const Core& core, Group& group);
// landing=direct: the complete group has landed load by load.
bool landed_whole(const Group& group);
// landing=direct: whether the load can land.
bool may_land(const Core& core, Group& group, const PlainCopies& copies);
// It does, after a backup of its group if it is the first one. A failure has changed nothing, or the update is broken.
Status land_load(Core& core, Update& update, const LoadCall& call, const PlainCopies& copies, bool again);

}  // namespace reloadlab::layerwise
