#pragma once
// A finding as a test to paste: it plays the scenario and wants every law kept, so that it fails until the bug is mended.
#include <string>

#include "sim/fuzz/entry.h"

namespace reloadlab::sim::fuzz {

// What the test includes, and must be linked with, is said in its first lines.
std::string test_body(const Entry& entry);

}  // namespace reloadlab::sim::fuzz
