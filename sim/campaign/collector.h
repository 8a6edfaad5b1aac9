#pragma once
// Takes answers in any order and lets them go in job order, `repeat` of one job together, so that what a run prints and writes does
// not depend on which worker was quicker.
#include <map>

#include "sim/campaign/attempt.h"

namespace reloadlab::sim {

class Collector {
 public:
  explicit Collector(int repeat) : repeat_(static_cast<size_t>(repeat)) {}
  // jobs[index] is the (index % repeat)th run of case number index / repeat.
  void add(size_t index, Answer answer) { waiting_.emplace(index, std::move(answer)); }
  // The next case in order, when all its runs are here. A law that fails in some of them only is flaky, and so is `same_again` where
  // what was seen differs.
  std::optional<Answer> next();
  size_t released() const { return released_; }

 private:
  size_t repeat_, released_ = 0;
  std::map<size_t, Answer> waiting_;
};

}  // namespace reloadlab::sim
