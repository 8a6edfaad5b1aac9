#pragma once
// Evidence made by hand: what a faultless candidate would leave of a small run. A test breaks one thing in it and reads the verdict.
//
//   model   fc.weight bf16 [4, 2] from fc.q (rows 0-1) and fc.k (rows 2-3) · norm.weight bf16 [2], tied to nothing
//   steps   0 load A · 1 reload to B · 2 reload to A          values: A 1, 2, 3, …   B 101, 102, 103, …
#include <functional>
#include <string>

#include "sim/evidence/evidence.h"
#include "sim/law/law.h"

namespace reloadlab::sim {

constexpr int kLoadA = 0, kToB = 1, kToA = 2, kRetry = 3;

class Fixture {
 public:
  explicit Fixture(int ranks = 1);
  Evidence evidence;

  Execution& run(Variation::Kind kind, std::string_view name = {}, int index = 0);
  Execution& warm() { return run(Variation::Kind::warm); }
  // Parts of the warm execution, rank 0, unless another execution is given.
  CensusEntry& entry(int step, const std::string& path) { return entry(warm(), step, path); }
  CensusEntry& entry(Execution& execution, int step, const std::string& path, size_t rank = 0);
  Census& census(int step) { return census(warm(), step); }
  Census& census(Execution& execution, int step, size_t rank = 0);
  StepOutcome& outcome(int step) { return outcome(warm(), step); }
  StepOutcome& outcome(Execution& execution, int step, size_t rank = 0);
  std::vector<Event>& events(size_t rank = 0) { return warm().ranks[rank].events; }
  RankPlan& plan(size_t rank = 0) { return evidence.plan[rank]; }
  PlannedLoad& load(int step, const std::string& delivery);

  // Puts a bf16 value (or raw bits) into an element.
  void set(CensusEntry& entry, int64_t element, float value);
  void set_bits(CensusEntry& entry, int64_t element, uint16_t bits);
  // Changes every rank of every execution.
  void each_rank_run(const std::function<void(Execution&, RankRun&)>& change);
  // Takes an event out, or puts one right before or after the first that matches.
  using Wanted = std::function<bool(const Event&)>;
  void erase(const Wanted& wanted);
  void insert_before(const Wanted& wanted, Event event);
  void insert_after(const Wanted& wanted, Event event);

  void declare(const std::string& key, const std::string& value) { evidence.declared[key] = value; }

  Verdict judge(std::string_view law) const { return find_law(law)->judge(evidence); }
};

// Events of the step and kind, and of the layer unless it is -1.
Fixture::Wanted event_at(int step, EventKind kind, int layer = -1);

// "fail: warm, rank 0, step 1, fc.weight: what | first | why", "pass", "inconclusive: reason", "unsupported: reason".
std::string text(const Verdict& verdict);

}  // namespace reloadlab::sim
