#include "sim/world/watchdog.h"

namespace reloadlab::sim {

Watchdog& watchdog() {
  static Watchdog settings;
  return settings;
}

}  // namespace reloadlab::sim
