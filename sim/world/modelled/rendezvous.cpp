#include "sim/world/modelled/rendezvous.h"

namespace reloadlab::sim::modelled {
namespace {

// In what the ranks that have come differ, whichever came first.
std::string mismatch_of(const Collective& collective) {
  const std::string* first = nullptr;
  for (size_t rank = 0; rank < collective.seats.size(); ++rank) {
    const std::string& wanted = collective.seats[rank].wanted;
    if (wanted.empty()) continue;
    if (!first) first = &wanted;
    if (wanted != *first) return fmt::format("rank {} issued {}, others {}", rank, wanted, *first);
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
  meeting.collective->name = fmt::format("{} #{} of {}", want.operation, number, want.channel);
  meeting.collective->seats.resize(want.seats);
  meeting.collective->cost = want.cost;
  meeting.collective->run = [move = want.move, inputs = meeting.inputs, outputs = meeting.outputs] { move(*inputs, *outputs); };
  return meeting;
}

Part Rendezvous::join(const Want& want) {
  int64_t number = next_[{want.channel, want.seat}]++;
  Meeting& here = meeting(want, number);
  Collective& collective = *here.collective;
  Collective::Seat& seat = collective.seats[want.seat];
  seat.wanted = fmt::format("{} ({})", want.operation, want.detail);
  collective.mismatch = mismatch_of(collective);
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
