#include "reference/shared_series/operation_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace reloadlab::shared_series {
namespace {

const std::string log_suffix = "/log";

uint64_t mixed(uint64_t hash, uint64_t word) {
  constexpr uint64_t odd = 0x9E3779B97F4A7C15;
  hash = (hash ^ word) * odd;
  return hash ^ (hash >> 29);
}

// One call, where the store has it.
std::vector<std::vector<uint8_t>> get_all(c10d::Store& store, const std::vector<std::string>& keys) {
  if (store.hasExtendedApi()) return store.multiGet(keys);
  std::vector<std::vector<uint8_t>> all;
  for (const std::string& key : keys) all.push_back(store.get(key));
  return all;
}

}  // namespace

// The series that share a log hold its group as well, so the address of a log that is alive is that group's.
std::shared_ptr<OperationLog> OperationLog::on(const c10::intrusive_ptr<c10d::ProcessGroup>& group) {
  static std::mutex mutex;
  static std::map<const c10d::ProcessGroup*, std::weak_ptr<OperationLog>> all;
  const std::lock_guard lock(mutex);
  std::erase_if(all, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<OperationLog>& entry = all[group.get()];
  std::shared_ptr<OperationLog> sequence = entry.lock();
  if (!sequence) entry = sequence = std::make_shared<OperationLog>();
  return sequence;
}

void OperationLog::add(const Operation& operation, const std::string& series) {
  Entry& entry = ring_[static_cast<size_t>(count_++ % kept)];
  entry.operation = operation;
  std::memset(entry.series, 0, name_length);
  std::memcpy(entry.series, series.data(), std::min<size_t>(series.size(), name_length - 1));
  uint64_t name[name_length / sizeof(uint64_t)];
  std::memcpy(name, entry.series, name_length);
  for (uint64_t word : name) hash_ = mixed(hash_, word);
  for (int64_t word : {operation.root, operation.bytes, operation.layer, operation.version})
    hash_ = mixed(hash_, static_cast<uint64_t>(word));
  entry.hash = hash_;
}

OperationLog::Published OperationLog::published() const {
  Published all{.count = count_, .entries = {}};
  for (int64_t operation = std::max<int64_t>(0, count_ - kept); operation < count_; ++operation)
    all.entries.push_back(ring_[static_cast<size_t>(operation % kept)]);
  return all;
}

void OperationLog::publish(c10d::Store& store, const std::string& key) {
  const int64_t length = std::min(count_, kept);
  std::vector<uint8_t> bytes(sizeof(int64_t) + static_cast<size_t>(length) * sizeof(Entry));
  std::memcpy(bytes.data(), &count_, sizeof(int64_t));
  // Oldest first: the ring's two halves.
  const int64_t oldest = count_ > kept ? count_ % kept : 0;
  uint8_t* entries = bytes.data() + sizeof(int64_t);
  std::memcpy(entries, &ring_[static_cast<size_t>(oldest)], static_cast<size_t>(length - oldest) * sizeof(Entry));
  std::memcpy(entries + static_cast<size_t>(length - oldest) * sizeof(Entry), ring_.data(), static_cast<size_t>(oldest) * sizeof(Entry));
  store.set(key + log_suffix, bytes);
  if (marks_.empty() || marks_.back().count != count_) marks_.push_back({count_, hash_});
  if (marks_.size() > marks_kept) marks_.erase(marks_.begin());
  const auto* marks = reinterpret_cast<const uint8_t*>(marks_.data());
  store.set(key, std::vector<uint8_t>(marks, marks + marks_.size() * sizeof(Mark)));
}

// At the last count that both have published hashes are equal, and one of the two has published nothing since.
bool OperationLog::agrees(const std::vector<uint8_t>& marks) const {
  const size_t count = marks.size() / sizeof(Mark);
  for (auto mine = marks_.rbegin(); mine != marks_.rend(); ++mine)
    for (size_t other = count; other-- > 0;) {
      Mark theirs;
      std::memcpy(&theirs, marks.data() + other * sizeof(Mark), sizeof(Mark));
      if (mine->count == theirs.count) return mine->hash == theirs.hash && (mine == marks_.rbegin() || other + 1 == count);
    }
  return count == 0;
}

Status OperationLog::compare(c10d::Store& store, const std::vector<std::string>& keys, int64_t this_rank) const {
  if (!store.check(keys)) return {};
  const std::vector<std::vector<uint8_t>> marks = get_all(store, keys);
  for (size_t rank = 0; rank < keys.size(); ++rank) {
    const auto that_rank = static_cast<int64_t>(rank);
    if (that_rank != this_rank && !agrees(marks[rank])) RELOADLAB_TRY(compare_log(store, keys[rank], this_rank, that_rank, false));
  }
  return {};
}

OperationLog::Published OperationLog::decode(const std::vector<uint8_t>& bytes) {
  Published all;
  if (bytes.size() < sizeof(int64_t)) return all;
  std::memcpy(&all.count, bytes.data(), sizeof(int64_t));
  all.entries.resize((bytes.size() - sizeof(int64_t)) / sizeof(Entry));
  std::memcpy(all.entries.data(), bytes.data() + sizeof(int64_t), all.entries.size() * sizeof(Entry));
  return all;
}

std::string OperationLog::describe(const Entry& entry) {
  const Operation& one = entry.operation;
  return fmt::format("layer {} of \"{}\", version {}, {} bytes from rank {}", one.layer, entry.series, one.version, one.bytes, one.root);
}

Status OperationLog::compare_log(c10d::Store& store, const std::string& key, int64_t this_rank, int64_t that_rank, bool behind_too) const {
  if (!store.check({key + log_suffix})) return {};
  const Published mine = published(), theirs = decode(store.get(key + log_suffix));
  const int64_t first = std::max(mine.first(), theirs.first()), end = std::min(mine.count, theirs.count);
  for (int64_t at = first; at < end; ++at) {
    const Entry &here = mine.at(at), &there = theirs.at(at);
    if (here.hash == there.hash) continue;
    if (describe(here) == describe(there))
      return {Code::failed, fmt::format("ranks {} and {} issued different broadcasts before operation {}, the oldest that both remember",
                                        this_rank, that_rank, at)};
    return {Code::failed, fmt::format("operation {} differs: rank {} broadcasts {}; rank {} broadcasts {}", at, this_rank, describe(here),
                                      that_rank, describe(there))};
  }
  if (behind_too && theirs.count < mine.count && theirs.count >= mine.first())
    return {Code::failed, fmt::format("rank {} has published {} operations, and rank {} went on: {}", that_rank, theirs.count, this_rank,
                                      describe(mine.at(theirs.count)))};
  return {};
}

}  // namespace reloadlab::shared_series
