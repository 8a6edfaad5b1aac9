#include "sim/evidence/evidence.h"

#include <fmt/format.h>

#include <algorithm>

#include "reference/base/check.h"
#include "sim/evidence/enums.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kEventNames[] = {
    "step_begin", "step_end",   "record",   "prepare_begin",   "prepare_end",   "finish_begin", "finish_end",   "abort_begin",
    "abort_end",  "load_begin", "load_end", "load_counted",    "load_dropped",  "completed",    "processed",    "copied_back",
    "armed",      "disarmed",   "warning",  "post_load_begin", "post_load_end", "write_kernel", "write_source", "alloc",
    "free",       "fault",      "forward",  "reach_begin",     "reach_end",     "read",         "collective",   "captured",
    "lies",       "lost",       "reloaded"};
static_assert(std::size(kEventNames) == static_cast<size_t>(EventKind::reloaded) + 1);

}  // namespace

std::string_view event_name(EventKind kind) {
  const auto index = static_cast<size_t>(kind);
  RELOADLAB_CHECK(index < std::size(kEventNames), std::to_string(index));
  return kEventNames[index];
}

std::string Variation::label() const {
  const std::string_view base = archive::enum_name(kind);
  switch (kind) {
    case Kind::warm:
    case Kind::again:
      return index == 0 ? std::string(base) : fmt::format("{}, model {}", base, index);
    case Kind::poison:
      return std::string(base);
    case Kind::cold:
      return index == 0 ? fmt::format("cold {}", name) : fmt::format("cold {}, poison {}", name, index);
    case Kind::fault:
      if (fault) return fmt::format("fault {} {}", archive::enum_name(fault->at), fault->nth);
      break;
    default:
      break;
  }
  return fmt::format("{} {}", base, index);
}

const CensusEntry* Census::find(std::string_view path) const {
  const auto found = std::ranges::find(entries, path, &CensusEntry::path);
  return found == entries.end() ? nullptr : &*found;
}

const Execution* Evidence::find(Variation::Kind kind, std::string_view name, int index) const {
  const auto found = std::ranges::find_if(executions, [&](const Execution& execution) {
    const Variation& variation = execution.variation;
    return variation.kind == kind && variation.name == name && variation.index == index;
  });
  return found == executions.end() ? nullptr : &*found;
}

}  // namespace reloadlab::sim
