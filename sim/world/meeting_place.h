#pragma once
// Where processes find each other: TCPStores, which lie with whoever started the processes, or with the first of them.
#include <memory>
#include <optional>
#include <string>

#include "reference/base/status.h"

namespace reloadlab::sim {

// Of one party. It outlives each of its members, so that the others notice the one that goes.
class MeetingPlace {
 public:
  virtual ~MeetingPlace() = default;
  virtual int port() const = 0;
};

// At a port that the system chooses. Code::failed where none can be had.
Result<std::unique_ptr<MeetingPlace>> open_meeting_place();

// What a launcher (torchrun, Slurm, Kubernetes) tells each process that it starts: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT.
struct Launch {
  int rank = 0, ranks = 1;
  int local = 0;         // among the processes of this host
  std::string host;      // of the first of them
  int port = 0;          // there
  std::string attempt;   // of a launcher that starts all of them again where one of them ended
  bool is_open = false;  // the launcher has a store there itself; otherwise rank 0 opens it
};

// Values by name, which all processes of a launch see. From any thread. Code::failed where it is gone, as it is with rank 0.
class Board {
 public:
  virtual ~Board() = default;
  virtual Status put(const std::string& name, const std::string& value) = 0;
  // None where there is no such name yet.
  virtual Result<std::optional<std::string>> look(const std::string& name) = 0;
  // The same, and it is there no more.
  virtual Result<std::optional<std::string>> take(const std::string& name) = 0;
};
// Waits for rank 0 as long as that.
Result<std::unique_ptr<Board>> open_board(const Launch& launch, double seconds);

// Bytes of one value that a TCPStore takes for sure.
inline constexpr size_t board_value_limit = size_t{4} << 20;

}  // namespace reloadlab::sim
