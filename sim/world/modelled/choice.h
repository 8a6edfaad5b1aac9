#pragma once
// Whatever the modelled world could do in more than one way is a choice, and a Schedule is the list of what was chosen. A Chooser
// decides; the choices of a run can be stored and replayed exactly.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "reference/base/prng.h"
#include "sim/world/modelled/actor_set.h"

namespace reloadlab::sim::modelled {

enum class ChoiceKind {
  next,   // which host or stream goes on
  reuse,  // whether the allocator takes a block that another stream has just finished with: 0 fresh, 1 reuse
  fault,  // where something outside strikes, of the places that a program offers: 0 nowhere
};

struct Turn;

struct Option {
  ActorId actor = -1;
  int64_t ready_at = 0;     // virtual picoseconds: the earliest start
  bool kernel = false;      // what is under way when it begins may slow it
  bool asks_again = false;  // a host that would ask what it was just told is not so, and still is not
};

using Schedule = std::vector<uint32_t>;

class Chooser {
 public:
  virtual ~Chooser() = default;
  // An index into options; there are at least two. For `next` also `stop`: the run ends here.
  virtual size_t choose(ChoiceKind kind, std::span<const Option> options) = 0;
  static constexpr size_t stop = static_cast<size_t>(-1);
  // The same for `next`, by a chooser that goes by numbers alone: which actor. -1: it has to be told more.
  virtual ActorId choose_by_number(const ActorSet&) { return -1; }

  // What watches is told of each turn once it is over, those that were no choice included, by number.
  virtual bool watches() const { return false; }
  virtual void took(int64_t, const Turn&) {}
};

// Actors in turn, by number; every actor that can go on does so before one goes twice. Blocks are reused, and no fault strikes.
std::unique_ptr<Chooser> round_robin();
std::unique_ptr<Chooser> random_choices(uint64_t seed);
// Probabilistic concurrency testing: the ready actor of highest random priority goes on; at `depth` - 1 random points among the
// first `steps` choices the one that would go on falls to the lowest. Finds any bug of that depth with a known probability.
std::unique_ptr<Chooser> pct(uint64_t seed, int depth, int64_t steps);
// The earliest start in virtual time goes first, as on hardware that keeps to the cost model; ties by number.
std::unique_ptr<Chooser> timed();
// The stored choices, then the first option each time.
std::unique_ptr<Chooser> replay(Schedule schedule);

// What comes after this schedule in depth-first order over all schedules; nothing when it was the last one. `widths` are the
// numbers of options that its choices had.
std::optional<Schedule> next_schedule(const Schedule& schedule, const std::vector<uint32_t>& widths);

}  // namespace reloadlab::sim::modelled
