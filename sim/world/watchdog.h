#pragma once
// What becomes of a process in which a rank's host never comes back from what a candidate does: it ends. Settings of the process.
#include <functional>
#include <string>

namespace reloadlab::sim {

struct Watchdog {
  double seconds = 0;  // modelled devices: of a host that reaches no visible operation; 0: as the machine's configuration says
  std::function<void(const std::string& picture)> before_end;  // told what everybody waits for; empty: stderr is
};
Watchdog& watchdog();

}  // namespace reloadlab::sim
