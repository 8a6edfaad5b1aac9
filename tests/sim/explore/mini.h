#pragma once
// Programs of a few actions, cheap enough to be run a hundred thousand times: blocks hold one number each, and every write mixes what
// was read into it, so that every order of conflicting actions leaves other numbers.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "reference/base/prng.h"
#include "sim/explore/program.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::explore {

struct Cells {
  std::vector<uint64_t> values;
  std::vector<uint64_t> reads;  // what the actions read, by their number

  Access access(size_t cell, bool write) const { return {Region::bytes(static_cast<BlockId>(1000 + cell), 0, 8), write}; }
  // Where action `number` keeps what it reads.
  static Access result(size_t number, bool write) { return {Region::bytes(static_cast<BlockId>(10'000 + number), 0, 8), write}; }
  std::string text() const { return fmt::format("{:x}|{:x}", fmt::join(values, " "), fmt::join(reads, " ")); }
};
using CellsPtr = std::shared_ptr<Cells>;

// Action `number`: cell[to] becomes a mix of its number and cell[from].
inline modelled::Kernel write_cell(const CellsPtr& cells, size_t number, size_t to, size_t from) {
  modelled::Kernel kernel{.name = fmt::format("write {}", number), .accesses = {cells->access(to, true)}};
  if (from != to) kernel.accesses.push_back(cells->access(from, false));
  kernel.run = [cells, number, to, from] {
    cells->values[to] = mix64(cells->values[to] ^ mix64(cells->values[from] + number));
    if (cells->values[to] == 0) cells->values[to] = 1;
  };
  return kernel;
}
inline modelled::Kernel read_cell(const CellsPtr& cells, size_t number, size_t from) {
  modelled::Kernel kernel{.name = fmt::format("read {}", number), .accesses = {cells->access(from, false), Cells::result(number, true)}};
  kernel.run = [cells, number, from] { cells->reads[number] = cells->values[from]; };
  return kernel;
}

// With no reads wrong.
inline Outcome ended(const modelled::Machine& machine, const CellsPtr& cells, std::string verdict) {
  return {.verdict = std::move(verdict), .state = cells->text(), .ranks = machine.config().ranks, .races = machine.races().races()};
}
// Reads that are not what was wanted are wrong, those with a number.
inline Outcome ended(const modelled::Machine& machine, const CellsPtr& cells, std::string verdict, const std::vector<uint64_t>& wanted) {
  Outcome outcome = ended(machine, cells, std::move(verdict));
  for (size_t number = 0; number < wanted.size(); ++number)
    if (cells->reads[number] != wanted[number])
      outcome.wrong.push_back({Cells::result(number, false).region, fmt::format("read {}", number)});
  return outcome;
}

}  // namespace reloadlab::sim::explore
