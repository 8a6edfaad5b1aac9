// What a compiler that is not Clang calls at each edge (-fsanitize-coverage=trace-pc): libFuzzer goes by how often each was passed, if it
// is counted in the section of this name. Two edges may share a counter.
#include <cstddef>
#include <cstdint>

namespace {
constexpr size_t counters_there = 1 << 16;
__attribute__((section("__libfuzzer_extra_counters"), used)) uint8_t counters[counters_there];
}  // namespace

extern "C" void __sanitizer_cov_trace_pc() {
  const auto caller = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  uint8_t& counter = counters[(caller ^ (caller >> 16)) % counters_there];
  if (counter < UINT8_MAX) ++counter;
}

// Comparisons of floats are reported, too, which libFuzzer has no use for.
extern "C" void __sanitizer_cov_trace_cmpf(float, float) {}
extern "C" void __sanitizer_cov_trace_cmpd(double, double) {}
