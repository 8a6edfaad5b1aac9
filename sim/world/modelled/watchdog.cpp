#include "sim/world/modelled/watchdog.h"

namespace reloadlab::sim::modelled {

Watchdog& watchdog() {
  static Watchdog settings;
  return settings;
}

}  // namespace reloadlab::sim::modelled
