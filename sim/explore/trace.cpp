#include "sim/explore/trace.h"

#include <algorithm>

#include "reference/base/prng.h"

namespace reloadlab::sim::explore {
namespace {

using modelled::Footprint;
using modelled::Turn;

bool has(const std::vector<uint64_t>& bits, int64_t index) {
  auto word = static_cast<size_t>(index / 64);
  return word < bits.size() && (bits[word] >> (index % 64) & 1U) != 0;
}

void add(std::vector<uint64_t>& bits, int64_t index) {
  auto word = static_cast<size_t>(index / 64);
  if (word >= bits.size()) bits.resize(word + 1, 0);
  bits[word] |= uint64_t{1} << (index % 64);
}

void add_all(std::vector<uint64_t>& bits, const std::vector<uint64_t>& other) {
  if (other.size() > bits.size()) bits.resize(other.size(), 0);
  for (size_t word = 0; word < other.size(); ++word) bits[word] |= other[word];
}

bool of_one_actor(const Footprint& a, const Footprint& b) {
  return std::any_of(a.actors.begin(), a.actors.end(),
                     [&](ActorId actor) { return std::find(b.actors.begin(), b.actors.end(), actor) != b.actors.end(); });
}

}  // namespace

bool Trace::before(int64_t first, int64_t second) const { return has(at(second).before, first); }

void Trace::push(const Turn& turn, uint64_t values) {
  Entry entry{.actor = turn.actor, .footprint = turn.footprint, .before = {}, .reversible = {}, .mark = 0};
  uint64_t reasons = 0;  // a sum, so that their order does not count
  // From the last turn backwards: what is reached through a later one is no direct reason.
  for (int64_t earlier = size() - 1; earlier >= 0; --earlier) {
    if (has(entry.before, earlier)) continue;
    const Entry& other = at(earlier);
    bool needed = turn.after_all || of_one_actor(turn.footprint, other.footprint) ||
                  std::find(turn.after.begin(), turn.after.end(), earlier) != turn.after.end();
    if (!needed && !dependent(turn.footprint, other.footprint)) continue;
    if (!needed) entry.reversible.push_back(earlier);
    add_all(entry.before, other.before);
    add(entry.before, earlier);
    reasons += mix64(other.mark);
  }
  entry.mark = mix64(mix64(static_cast<uint64_t>(turn.actor) ^ mix64(values)) ^ reasons ^ hash_name(turn.name));
  entries_.push_back(std::move(entry));
}

std::vector<ActorId> Trace::initials(int64_t first, int64_t second) const {
  std::vector<int64_t> sequence;
  std::vector<ActorId> actors;
  for (int64_t turn = first + 1; turn <= second; ++turn) {
    if (turn != second && before(first, turn)) continue;
    bool begins = std::none_of(sequence.begin(), sequence.end(), [&](int64_t earlier) { return before(earlier, turn); });
    if (begins) actors.push_back(actor(turn));
    sequence.push_back(turn);
  }
  return actors;
}

uint64_t Trace::mark() const {
  uint64_t sum = 0;
  for (const Entry& entry : entries_) sum += mix64(entry.mark);
  return sum;
}

}  // namespace reloadlab::sim::explore
