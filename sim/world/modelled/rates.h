#pragma once
// What things cost on a modelled device. Virtual time is integer picoseconds, rounded once for each operation.
#include <cstdint>
#include <string_view>

#include "reference/base/status.h"

namespace reloadlab::sim::modelled {

using Picoseconds = int64_t;

struct Rates {
  std::string_view name;
  int64_t memory_bytes_per_s;     // device memory, read plus written
  int64_t flop_per_s;             // dense matrix products
  int64_t host_copy_bytes_per_s;  // pinned host memory to the device and back
  int64_t link_bytes_per_s;       // a collective's payload
  Picoseconds kernel_start;       // one kernel, however small
  Picoseconds collective_start;   // one collective, however small
  int64_t beside_percent = 100;   // how long a kernel takes while its device has a collective under way, of what it takes alone
};

Result<Rates> rates_of(std::string_view device);  // h100, h200; free: everything takes no time

Picoseconds duration(int64_t amount, int64_t per_second);  // rounded up; 0 where the rate is 0: it costs nothing
Picoseconds kernel_cost(const Rates& rates, int64_t bytes, int64_t flop);
Picoseconds collective_cost(const Rates& rates, int64_t bytes);
// What a kernel takes of that cost when a collective goes on beside it for so long.
Picoseconds slowed(const Rates& rates, Picoseconds cost, Picoseconds beside);

}  // namespace reloadlab::sim::modelled
