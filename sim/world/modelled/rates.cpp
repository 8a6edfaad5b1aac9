// The table of devices: measured rates, one row each.
#include "sim/world/modelled/rates.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim::modelled {
namespace {

constexpr int64_t giga = 1'000'000'000, tera = 1000 * giga;
constexpr Picoseconds microsecond = 1'000'000;

struct Device {
  std::string_view name;
  Rates rates;
};
constexpr Device table[] = {
    // device memory, matrix products, host copies, link, kernel start, collective start, beside a collective: a product of 8192 by
    // 8192 took 1.41 ms alone and 1.67 ms beside a broadcast
    {"h100", {3 * tera, 780 * tera, 54 * giga, 360 * giga, 2 * microsecond, 55 * microsecond, 118}},
    {"h200", {4 * tera + 200 * giga, 780 * tera, 54 * giga, 360 * giga, 2 * microsecond, 55 * microsecond, 118}},
    {"free", {}},
};

}  // namespace

Result<Rates> rates_of(std::string_view device) {
  for (const Device& each : table)
    if (each.name == device) return each.rates;
  return Status(Code::usage, fmt::format("no rates for a device '{}'", device));
}

Picoseconds duration(int64_t amount, int64_t per_second) {
  if (per_second == 0) return 0;
  __int128 picoseconds = static_cast<__int128>(amount) * tera;
  return static_cast<Picoseconds>((picoseconds + per_second - 1) / per_second);
}

// A kernel overlaps its arithmetic with its memory traffic: the slower one counts.
Picoseconds kernel_cost(const Rates& rates, int64_t bytes, int64_t flop) {
  return rates.kernel_start + std::max(duration(bytes, rates.memory_bytes_per_s), duration(flop, rates.flop_per_s));
}

Picoseconds collective_cost(const Rates& rates, int64_t bytes) { return rates.collective_start + duration(bytes, rates.link_bytes_per_s); }

Picoseconds slowed(const Rates& rates, Picoseconds cost, Picoseconds beside) {
  const Picoseconds all = cost * rates.beside_percent / 100;
  if (all <= beside) return all;
  return beside + cost - beside * 100 / rates.beside_percent;  // the rest of it is alone
}

Picoseconds rested(const Rates& rates, Picoseconds cost, Picoseconds rest) {
  return cost - std::min(cost, rest) * (100 - rates.rested_percent) / 100;
}

}  // namespace reloadlab::sim::modelled
