#pragma once
// What a rank has issued to one communicator, whichever series it was for: a running hash, and the last operations. Ranks of a group
// must issue the same; where they do not, bytes go to the wrong layer or everything hangs. They publish their sequences in a store,
// which works where the communicator hangs, and compare.
//
//   operation     0   1   2   3   4   5
//   rank 0        a   b   c   d   e         hashes of all that came before, each operation included:
//   rank 1        a   b   x   y   z   w     the first that differ say where the sequences part
//
// Nothing here waits: a rank that has published nothing yet is passed over.
#include <memory>
#include <vector>

#include "reference/base/status.h"
#include "reference/model/c10d_names.h"

namespace reloadlab::shared_series {

struct Operation {
  int64_t root, bytes, layer, version;
};

class OperationLog {
 public:
  // The calling rank's log of that communicator: the same object for every series on it. It belongs to the communicator, since an
  // operation of one series that comes where another's was due is what it is for.
  static std::shared_ptr<OperationLog> on(const c10::intrusive_ptr<c10d::ProcessGroup>& group);

  void add(const Operation& operation, const std::string& series);
  // Under `key`: counts and hashes at the last few times of publishing, a few bytes. Under `key`/log: the last operations.
  void publish(c10d::Store& store, const std::string& key);
  // Of ranks, and what each has published; ok where there is nothing to compare. Logs are read only where hashes cannot tell.
  Status compare(c10d::Store& store, const std::vector<std::string>& keys, int64_t this_rank) const;
  // Of one rank, by its log; also a rank that stands still is a failure.
  Status compare_log(c10d::Store& store, const std::string& key, int64_t this_rank, int64_t that_rank, bool behind_too) const;

 private:
  static constexpr int64_t kept = 128, name_length = 24;
  static constexpr size_t marks_kept = 8;
  struct Entry {
    Operation operation;
    uint64_t hash;  // of everything up to here
    char series[name_length];
  };
  struct Mark {
    int64_t count;
    uint64_t hash;
  };
  struct Published {
    int64_t count = 0;  // operations so far; the last of them are `entries`
    std::vector<Entry> entries;
    int64_t first() const { return count - static_cast<int64_t>(entries.size()); }
    const Entry& at(int64_t operation) const { return entries[static_cast<size_t>(operation - first())]; }
  };
  Published published() const;
  static Published decode(const std::vector<uint8_t>& bytes);
  static std::string describe(const Entry& entry);
  bool agrees(const std::vector<uint8_t>& marks) const;

  int64_t count_ = 0;
  uint64_t hash_ = 0;
  std::vector<Entry> ring_ = std::vector<Entry>(kept);
  std::vector<Mark> marks_;  // oldest first
};

}  // namespace reloadlab::shared_series
