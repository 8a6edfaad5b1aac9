#pragma once
// Rings of windows as a few actions, right ones and ones that lack an edge. All ranks' actions are issued by one host before anything
// runs, so that only the streams' order is explored.
#include <limits>

#include "tests/sim/explore/mini.h"

namespace reloadlab::sim::explore {

// For searches of tests, which end by what they count: machines are busy, and sanitizers slow.
inline constexpr double no_clock = std::numeric_limits<double>::infinity();

// What a ring leaves out.
enum class Lacks {
  nothing,
  wait,        // forwards do not wait for their broadcast
  fork,        // broadcasts do not wait for what was issued before
  right_wait,  // the communication stream waits for the broadcast, where the computing one should
};

struct Ring {
  int ranks = 2;
  size_t layers = 2, prefetch = 0, first = 0, passes = 1;
  Lacks lacks = Lacks::nothing;
};

namespace detail {

using modelled::Collective;
using modelled::Machine;
using modelled::Part;
using modelled::PointPtr;
using modelled::Stream;

// Cells: each rank's windows, then each layer's weight at its owner.
struct RingRun {
  Ring ring;
  Machine& machine;
  CellsPtr cells = std::make_shared<Cells>();
  std::vector<Stream*> communication;
  std::vector<PointPtr> arrival;  // by rank and window; null: nothing to wait for
  std::vector<size_t> tenant;     // by window
  size_t next_window, next_read = 0;
  std::vector<uint64_t> wanted;

  RingRun(const Ring& which, Machine& on) : ring(which), machine(on), next_window(which.prefetch) {
    size_t windows = ring.prefetch + 1;
    tenant.assign(windows, ring.layers);
    arrival.resize(windows * size_t(ring.ranks));
    cells->values.assign(windows * size_t(ring.ranks) + ring.layers, 7);
    cells->reads.assign(ring.passes * ring.layers * size_t(ring.ranks), 0);
    for (size_t layer = 0; layer < ring.layers; ++layer) cells->values[weight(layer)] = 100 + layer;
    for (size_t layer = 0; layer < ring.prefetch; ++layer) {
      tenant[layer] = layer;
      for (int rank = 0; rank < ring.ranks; ++rank) cells->values[window(rank, layer)] = 100 + layer;
    }
    for (int rank = 0; rank < ring.ranks; ++rank) communication.push_back(&machine.new_stream(rank));
  }
  size_t window(int rank, size_t slot) const { return size_t(rank) * (ring.prefetch + 1) + slot; }
  size_t weight(size_t layer) const { return (ring.prefetch + 1) * size_t(ring.ranks) + layer; }
  int owner(size_t layer) const { return static_cast<int>((ring.first + layer) % size_t(ring.ranks)); }

  void reach(size_t layer) {
    size_t target = (layer + ring.prefetch) % ring.layers, slot = next_window;
    next_window = (next_window + 1) % (ring.prefetch + 1);
    tenant[slot] = target;
    auto collective = std::make_shared<Collective>();
    collective->name = modelled::named(fmt::format("broadcast of {}", target));
    collective->seats.resize(size_t(ring.ranks));
    std::vector<size_t> receivers;
    for (int rank = 0; rank < ring.ranks; ++rank) {
      Collective::Seat& seat = collective->seats[size_t(rank)];
      seat.sends = rank == owner(target);
      seat.accesses = {cells->access(seat.sends ? weight(target) : window(rank, slot), !seat.sends)};
      if (!seat.sends) receivers.push_back(window(rank, slot));
    }
    collective->run = [c = cells, receivers, from = weight(target)] {
      for (size_t to : receivers) c->values[to] = c->values[from];
    };
    for (int rank = 0; rank < ring.ranks; ++rank) {
      Stream& carrier = *communication[size_t(rank)];
      if (ring.lacks != Lacks::fork) machine.wait(carrier, machine.record(machine.stream(rank, 0), "before a broadcast"));
      Part part{.collective = collective, .index = size_t(rank), .done = std::make_shared<modelled::Point>(), .issue_again = {}};
      part.done->name = collective->name;
      arrival[window(rank, slot)] = part.done;
      machine.issue(carrier, part);
    }
  }
  size_t slot_of(size_t layer) const { return static_cast<size_t>(std::find(tenant.begin(), tenant.end(), layer) - tenant.begin()); }
  void forward(int rank, size_t layer) {
    size_t slot = slot_of(layer);
    Stream& compute = machine.stream(rank, 0);
    if (const PointPtr& point = arrival[window(rank, slot)]; point && ring.lacks != Lacks::wait)
      machine.wait(ring.lacks == Lacks::right_wait ? *communication[size_t(rank)] : compute, point);
    bool owns = rank == owner(layer);
    machine.issue(compute, read_cell(cells, next_read++, owns ? weight(layer) : window(rank, slot)));
    wanted.push_back(100 + layer);
  }
  Outcome run() {
    for (size_t step = 0; step < ring.passes * ring.layers; ++step) {
      reach(step % ring.layers);
      for (int rank = 0; rank < ring.ranks; ++rank) forward(rank, step % ring.layers);
    }
    if (!machine.drain()) return ended(machine, cells, "deadlock");
    return ended(machine, cells, cells->reads == wanted ? "" : "a forward read something else than its layer", wanted);
  }
};

}  // namespace detail

inline Program ring_program(const Ring& ring) {
  return [ring](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = ring.ranks}, std::move(chooser));
    return detail::RingRun(ring, machine).run();
  };
}

}  // namespace reloadlab::sim::explore
