#pragma once
// What a partial update must leave: the bytes from before it, overlaid with the delivered elements by placement. Worked out on images
// of whole storages, so that ties and views follow by themselves.
#include <map>
#include <string>

#include "sim/law/reading.h"

namespace reloadlab::sim {

// Expected content by path. Paths that are left out are not judged: tensors of incompletely delivered layers that a post-load step
// rewrites, and what such layers' steps derive from others that the update touched.
using Overlay = std::map<std::string, Bytes, std::less<>>;

// REQUIRES states[index].planned.partial and index > 0.
Overlay overlay(const Evidence& evidence, size_t rank, const std::vector<RestingState>& states, size_t index);

}  // namespace reloadlab::sim
