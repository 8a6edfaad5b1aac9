#pragma once
// Operations of communicators, put together across ranks: the root alone knows whose weight it sends.
//
// The n-th operation of a communicator is the same one on all its ranks as long as they issue the same. Where they first differ in what
// they issue its operations no longer meet, and behind that numbers say nothing.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/report/trace_file.h"

namespace reloadlab::sim {

class Operations {
 public:
  explicit Operations(const TracedExecution& execution);

  // Issued, or captured, which is issued in each replay.
  static bool is_one(const TracedEvent& event) { return event.event == "collective" || event.event == "captured"; }

  // An operation's communicator and number, where a rank's collectives are passed in their order.
  using Key = std::pair<std::string, int64_t>;
  struct Count {
    std::map<std::string, int64_t> next_number;
    Key next(const TracedEvent& event);  // what is captured counts apart
  };
  // Empty: nobody knows.
  std::string layer_of(const Key& key) const;
  // "ranks differ from operation 12 of all on: …", "rank 2 issues 12 operations of all, rank 0 20: …", for each communicator where it is
  // so.
  std::vector<std::string> differences() const;

 private:
  struct Issued {
    int rank;
    std::string text;
    int64_t bytes;
  };
  struct Operation {
    std::string layer;
    std::optional<Issued> first;
  };
  bool is_known_to_meet(const Key& key) const;
  void note(int rank, const TracedEvent& event, const Key& key);

  std::map<Key, Operation> operations_;
  struct Difference {
    int64_t number;
    Issued one, other;
  };
  std::map<std::string, Difference> differences_;         // by communicator: the first
  std::map<std::string, std::map<int, int64_t>> counts_;  // of operations, by communicator and rank
};

}  // namespace reloadlab::sim
