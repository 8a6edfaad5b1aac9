#pragma once
// Names of communicators, for headers that hand them on: c10d's own take ten seconds to read, and are included
// where something is asked of one.
#include <c10/util/intrusive_ptr.h>

namespace c10d {
class Backend;
class ProcessGroup;
class Store;
class Work;
}  // namespace c10d
