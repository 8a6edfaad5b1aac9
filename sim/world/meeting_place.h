#pragma once
// The TCPStore by which the processes of one party find each other. It lies with whoever started them and outlives each of them, so that
// the others notice the one that goes.
#include <memory>

#include "reference/base/status.h"

namespace reloadlab::sim {

class MeetingPlace {
 public:
  virtual ~MeetingPlace() = default;
  virtual int port() const = 0;
};

// On loopback, at a port that the system chooses. Code::failed where none can be had.
Result<std::unique_ptr<MeetingPlace>> open_meeting_place();

}  // namespace reloadlab::sim
