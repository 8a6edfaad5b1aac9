#pragma once
// What a store has of a candidate, played before new cases: what fails as ever, what was mended, and what was mended and fails again.
#include "sim/fuzz/store.h"

namespace reloadlab::sim::fuzz {

struct Stored {
  std::vector<Kept> failing;   // still, each by its cause
  std::vector<Kept> relapsed;  // of regression/: they fail again, and are in failing/ now
  std::vector<Kept> mended;    // of failing/: they keep every law now
  int64_t played = 0, hanging = 0;

  std::set<Cause> causes() const;  // of what fails
  // What is known of them, to a campaign that begins: where making small was broken off, it goes on.
  void tell(HuntOptions& options) const;
  std::set<std::string> mended_texts() const;  // of the scenarios, for Store::keep
};

// `engine` is to outlive what its candidates do, with workers: what crashes is here again and again.
// Whatever else a stored case shows now is kept as well.
Result<Stored> play_stored(const Store& store, const std::string& candidate, const Engine& engine);

}  // namespace reloadlab::sim::fuzz
