#include "sim/world/modelled/turn.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim::modelled {
namespace {

template <class T>
bool share(const std::vector<T>& a, const std::vector<T>& b) {
  return std::any_of(a.begin(), a.end(), [&](const T& one) { return std::find(b.begin(), b.end(), one) != b.end(); });
}

template <class T>
bool conflict(const std::vector<T>& a, const std::vector<T>& b, bool (*same)(const T&, const T&)) {
  for (const T& one : a)
    for (const T& other : b)
      if ((one.write || other.write) && same(one, other)) return true;
  return false;
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::string actor_name(ActorId actor, int ranks) {
  if (actor < ranks) return fmt::format("host {}", actor);
  if (actor == ranks) return "driver";
  int place = actor - ranks - 1;
  return fmt::format("stream {} of sim:{}", place / ranks, place % ranks);
}

void Footprint::add(const Footprint& other) {
  append(actors, other.actors);
  append(accesses, other.accesses);
  append(marks, other.marks);
  append(queries, other.queries);
  append(tails, other.tails);
  append(keys, other.keys);
  append(places, other.places);
  append(host_writes, other.host_writes);
  append(host_accesses, other.host_accesses);
  everything |= other.everything;
}

bool dependent(const Footprint& a, const Footprint& b) {
  if (a.everything || b.everything || share(a.actors, b.actors)) return true;
  if (share(a.marks, b.queries) || share(a.queries, b.marks) || share(a.tails, b.tails) || share(a.places, b.places)) return true;
  if (share(a.host_writes, b.host_accesses) || share(a.host_accesses, b.host_writes)) return true;
  auto same_bytes = [](const Access& one, const Access& other) { return one.region.overlaps(other.region); };
  auto same_key = [](const Footprint::Key& one, const Footprint::Key& other) { return one.name == other.name; };
  return conflict<Access>(a.accesses, b.accesses, same_bytes) || conflict<Footprint::Key>(a.keys, b.keys, same_key);
}

}  // namespace reloadlab::sim::modelled
