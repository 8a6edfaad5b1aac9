#pragma once
// What becomes of a process in which a host never comes back to the modelled world: it ends, with exit code 6. Settings of the process.
#include <functional>
#include <string>

namespace reloadlab::sim::modelled {

struct Watchdog {
  double seconds = 0;  // of a host that reaches no visible operation; 0: as the machine's configuration says
  std::function<void(const std::string& picture)> before_end;  // told what everybody waits for; empty: stderr is
};
Watchdog& watchdog();

}  // namespace reloadlab::sim::modelled
