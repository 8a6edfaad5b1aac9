#include "bench/contest.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <new>
#include <numeric>

#include "reference/base/check.h"

namespace {

std::atomic<int64_t> news{0};

void* counted(size_t size) {
  news.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// The whole process allocates through these, LibTorch included; tensor data has an allocator of its own.
void* operator new(size_t size) { return counted(size); }
void* operator new[](size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace reloadlab::bench {

bool tiny() { return std::getenv("RELOADLAB_BENCH_TINY") != nullptr; }

int64_t allocations() { return news.load(std::memory_order_relaxed); }

void check(const Status& outcome) { RELOADLAB_CHECK(outcome.ok(), outcome.message()); }

double Contest::Entry::ns_per_load() const { return std::accumulate(best_ns.begin(), best_ns.end(), 0.0) / static_cast<double>(loads); }

double Contest::pass(Entry& entry) {
  entry.before();
  entry.best_ns.resize(entry.slices, std::numeric_limits<double>::infinity());
  const int64_t news_before = bench::allocations();
  double total_ns = 0;
  for (size_t slice = 0; slice < entry.slices; ++slice) {
    const auto begin = std::chrono::steady_clock::now();
    entry.run(slice);
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
    entry.best_ns[slice] = std::min(entry.best_ns[slice], taken.count());
    total_ns += taken.count();
  }
  entry.allocations = static_cast<double>(bench::allocations() - news_before) / static_cast<double>(entry.loads);
  entry.after();
  return total_ns;
}

void Contest::pass(benchmark::State& state) {
  double total_ns = 0;
  for (Entry& entry : entries_) total_ns += pass(entry);
  state.SetIterationTime(total_ns * 1e-9);
}

void Contest::report(benchmark::State& state) const {
  for (const Entry& entry : entries_) {
    state.counters["ns:" + entry.name] = entry.ns_per_load();
    state.counters["new:" + entry.name] = entry.allocations;
  }
}

void Contest::report_ratio(benchmark::State& state, const std::string& of, const std::string& to) const {
  state.counters[of + "/" + to] = find(of).ns_per_load() / find(to).ns_per_load();
}

const Contest::Entry& Contest::find(const std::string& name) const {
  for (const Entry& entry : entries_)
    if (entry.name == name) return entry;
  RELOADLAB_CHECK(false, "nobody is called " + name);
}

}  // namespace reloadlab::bench
