#pragma once
// What things cost on a modelled device. Virtual time is integer picoseconds, rounded once for each operation.
#include <cstdint>
#include <string_view>

#include "reference/base/status.h"

namespace reloadlab::sim::modelled {

using Picoseconds = int64_t;

// A rate of 0: what goes by it takes no time.
struct Rates {
  int64_t memory_bytes_per_s = 0;     // device memory, read plus written
  int64_t flop_per_s = 0;             // dense matrix products
  int64_t host_copy_bytes_per_s = 0;  // pinned host memory to the device and back
  int64_t link_bytes_per_s = 0;       // a collective's payload
  Picoseconds kernel_start = 0;       // one kernel, however small
  Picoseconds collective_start = 0;   // one collective, however small
  int64_t beside_percent = 100;       // how long a kernel takes while its device has a collective under way, of what it takes alone
  int64_t rested_percent = 100;       // how long a kernel takes behind a rest of its device as long as itself, of what it takes in a row
  bool operator==(const Rates&) const = default;
};

Result<Rates> rates_of(std::string_view device);  // h100, h200; free: everything takes no time

Picoseconds duration(int64_t amount, int64_t per_second);  // rounded up; 0 where the rate is 0: it costs nothing
Picoseconds kernel_cost(const Rates& rates, int64_t bytes, int64_t flop);
Picoseconds collective_cost(const Rates& rates, int64_t bytes);
// What a kernel takes of that cost when a collective goes on beside it for so long.
Picoseconds slowed(const Rates& rates, Picoseconds cost, Picoseconds beside);
// And behind a rest of so long: what a GPU does not draw of its power then, it has for higher clocks. A longer rest gives no more.
Picoseconds rested(const Rates& rates, Picoseconds cost, Picoseconds rest);

}  // namespace reloadlab::sim::modelled
