#include "sim/world/modelled/rendezvous.h"

#include <algorithm>

#include "sim/world/modelled/store.h"

namespace reloadlab::sim::modelled {
namespace {

// In what the ranks that have come differ, whichever came first.
std::string mismatch_of(const Collective& collective) {
  const std::string* first = nullptr;
  for (size_t rank = 0; rank < collective.seats.size(); ++rank) {
    const NamePtr& wanted = collective.seats[rank].wanted;
    if (!wanted) continue;
    if (!first) first = wanted.get();
    if (*wanted != *first) return fmt::format("rank {} issued {}, others {}", rank, *wanted, *first);
  }
  return {};
}

}  // namespace

Rendezvous::Meeting& Rendezvous::meeting(const Want& want, int64_t number) {
  auto [found, fresh] = open_.try_emplace({want.channel, number});
  Meeting& meeting = found->second;
  if (!fresh) return meeting;
  using Lists = std::vector<std::vector<at::Tensor>>;
  meeting.inputs = std::make_shared<Lists>(want.seats);
  meeting.outputs = std::make_shared<Lists>(want.seats);
  meeting.collective = std::make_shared<Collective>();
  meeting.collective->name = named(fmt::format("{} #{} of {}", want.operation, number, want.channel));
  meeting.collective->group = want.group;
  std::vector<std::weak_ptr<Collective>>& pending = pending_[want.group];
  std::erase_if(pending, [](const auto& collective) { return collective.expired(); });
  pending.push_back(meeting.collective);
  meeting.collective->seats.resize(want.seats);
  meeting.collective->cost = want.cost;
  meeting.collective->run = [move = want.move, inputs = meeting.inputs, outputs = meeting.outputs] { move(*inputs, *outputs); };
  return meeting;
}

void Rendezvous::abort(const std::string& group, const std::string& why) {
  aborted_.try_emplace(group, why);
  for (const auto& pending : pending_[group]) {
    std::shared_ptr<Collective> collective = pending.lock();
    if (!collective || !collective->aborted.empty()) continue;
    collective->aborted = why;
  }
}

std::shared_ptr<StoreState> Rendezvous::store(const std::string& name) {
  std::shared_ptr<StoreState>& state = stores_[name];
  if (!state) state = std::make_shared<StoreState>();
  return state;
}

Part Rendezvous::join(const Want& want) {
  if (auto found = aborted_.find(want.group); found != aborted_.end())
    C10_THROW_ERROR(DistBackendError, fmt::format("{} on {}: {}", want.operation, want.group, found->second));
  std::vector<int64_t>& next = next_[want.channel];
  next.resize(std::max(next.size(), want.seats), 0);
  int64_t number = next[want.seat]++;
  Meeting& here = meeting(want, number);
  Collective& collective = *here.collective;
  Collective::Seat& seat = collective.seats[want.seat];
  std::string wanted = fmt::format("{} ({})", want.operation, want.detail);
  if (!here.wanted) here.wanted = named(wanted);
  if (wanted != *here.wanted) here.mismatched = true;
  seat.wanted = wanted == *here.wanted ? here.wanted : named(std::move(wanted));
  if (here.mismatched) collective.mismatch = mismatch_of(collective);
  seat.accesses = want.accesses;
  seat.sends = want.sends;
  (*here.inputs)[want.seat] = want.inputs;
  (*here.outputs)[want.seat] = want.outputs;
  Part part{.collective = here.collective, .index = want.seat, .done = std::make_shared<Point>(), .issue_again = {}};
  part.done->name = collective.name;
  if (++here.joined == want.seats) open_.erase({want.channel, number});
  return part;
}

}  // namespace reloadlab::sim::modelled
