#pragma once
// Follows steps as they are bound: what may not be done to a model that sleeps, or whose contents were lost.
#include <optional>

#include "sim/scenario/case.h"
#include "sim/scenario/diagnostics.h"

namespace reloadlab::sim {

class SleepBinder {
 public:
  SleepBinder(std::optional<WorldKind> world, Diagnostics& diagnostics) : world_(world), diagnostics_(diagnostics) {}

  // The next step in the order of the file. With series what is whole is a matter of two kinds of reload, and left to who writes them.
  void follow(const Step& step, bool series);
  bool asleep() const { return asleep_; }

 private:
  void fall_asleep(const Step& step);
  void wake_up(const Step& step);
  void update(const Step& step, bool series);
  void need_contents(const Step& step);

  std::optional<WorldKind> world_;
  Diagnostics& diagnostics_;
  bool loaded_ = false;
  bool open_ = false;  // an update was begun and has not ended
  bool asleep_ = false;
  bool losing_ = false;  // asleep: contents are not kept
  bool lost_ = false;    // awake: contents were not kept, and no whole checkpoint has come since
};

}  // namespace reloadlab::sim
