#pragma once
// Several ways of doing the same loads, measured in turns in one process. A way's work is cut into slices, each slice's time is the best
// of all passes, and the sum of those is what counts: on a machine that others use too, whole passes are never undisturbed. Ratios go
// side by side into the benchmark's counters.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::bench {

// True when the environment says RELOADLAB_BENCH_TINY: input so small that a run takes a second.
bool tiny();
// Calls of operator new in this process so far.
int64_t allocations();
// Ends the program where a part of what is measured has failed.
void check(const Status& outcome);

class Contest {
 public:
  struct Entry {
    std::string name;
    int64_t loads = 1;  // in a pass
    size_t slices = 1;  // of a pass, run one after the other
    std::function<void(size_t slice)> run;
    std::function<void()> before = [] {};  // a pass; not timed
    std::function<void()> after = [] {};

    std::vector<double> best_ns = {};  // of each slice
    double allocations = 0;            // a load, of the last pass
    double ns_per_load() const;
  };

  void add(Entry entry) { entries_.push_back(std::move(entry)); }
  // One pass of everybody; the benchmark's iteration time is their sum.
  void pass(benchmark::State& state);
  // "ns:seed" and "new:seed" of every entry.
  void report(benchmark::State& state) const;
  // "seed/plain": how much longer a load takes.
  void report_ratio(benchmark::State& state, const std::string& of, const std::string& to) const;

 private:
  static double pass(Entry& entry);  // nanoseconds
  const Entry& find(const std::string& name) const;
  std::vector<Entry> entries_;
};

}  // namespace reloadlab::bench
