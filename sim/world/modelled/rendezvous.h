#pragma once
// Where the ranks of a communicator meet: one Collective for each operation in its order of issue, found by name and number. A part
// says what its rank wants; the first one shapes the operation, and a later one that wants something else makes it a mismatch.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/world/modelled/action.h"

namespace reloadlab::sim::modelled {

struct StoreState;

struct Want {
  std::string operation;  // "broadcast"
  std::string group;      // the communicator
  std::string channel;    // who meets: the communicator, or a pair of ranks in one direction
  std::string detail;     // what must be equal on all ranks: root, bytes, element type
  size_t seats = 1;
  size_t seat = 0;
  bool sends = true;
  std::vector<Access> accesses;
  Picoseconds cost = 0;
  std::vector<at::Tensor> inputs, outputs;  // CPU aliases
  // Moves the data of all seats; the inputs and outputs are by seat.
  void (*move)(const std::vector<std::vector<at::Tensor>>& inputs, std::vector<std::vector<at::Tensor>>& outputs) = nullptr;
};

class Rendezvous {
 public:
  // The calling rank's next operation on the channel. Throws c10::DistBackendError where the communicator was aborted.
  Part join(const Want& want);

  // What the communicator has not completed fails on every rank, and so does what it is asked for from now on.
  void abort(const std::string& group, const std::string& why);
  // The store of that name.
  std::shared_ptr<StoreState> store(const std::string& name);

 private:
  struct Meeting {
    std::shared_ptr<Collective> collective;
    std::shared_ptr<std::vector<std::vector<at::Tensor>>> inputs, outputs;
    size_t joined = 0;
    NamePtr wanted;           // by the first rank that came
    bool mismatched = false;  // others want something else
  };
  Meeting& meeting(const Want& want, int64_t number);
  std::map<std::string, std::vector<int64_t>> next_;                       // by channel, then by seat
  std::map<std::string, std::vector<std::weak_ptr<Collective>>> pending_;  // by communicator; done ones are dropped in between
  std::map<std::string, std::string> aborted_;                             // communicator -> why
  std::map<std::string, std::shared_ptr<StoreState>> stores_;
  std::map<std::pair<std::string, int64_t>, Meeting> open_;  // by channel and number
};

}  // namespace reloadlab::sim::modelled
