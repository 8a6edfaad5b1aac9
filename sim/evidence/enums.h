#pragma once
// Names of the enumerations that stored evidence holds: stored text must outlive a reordering of values.
#include <optional>
#include <string_view>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim::archive {

// The text for each value, in the order of the values. One overload per enumeration.
std::span<const std::string_view> names_of(EventKind);
std::span<const std::string_view> names_of(Variation::Kind);
std::span<const std::string_view> names_of(CensusEntry::Kind);
std::span<const std::string_view> names_of(CoverageReport::Kind);
std::span<const std::string_view> names_of(Fault::At);
std::span<const std::string_view> names_of(LoadPlan::Layout);
std::span<const std::string_view> names_of(LoadPlan::Source);
std::span<const std::string_view> names_of(LoadPlan::Handle);
std::span<const std::string_view> names_of(StepKind);
std::span<const std::string_view> names_of(Step::Outcome);
std::span<const std::string_view> names_of(OrderKind);
std::span<const std::string_view> names_of(LoadPlan::Resolve);
std::span<const std::string_view> names_of(Record);
std::span<const std::string_view> names_of(Deviation);
std::span<const std::string_view> names_of(Pass::Stream);
std::span<const std::string_view> names_of(Via);
std::span<const std::string_view> names_of(Graphs::Mode);
std::span<const std::string_view> names_of(Expect::Completed);
std::span<const std::string_view> names_of(WorldKind);
std::span<const std::string_view> names_of(Collectives::Order);
std::span<const std::string_view> names_of(GpuAllocator);
std::span<const std::string_view> names_of(CheckpointSpec::Source);
std::span<const std::string_view> names_of(model::SlotSpec::Transform);
std::span<const std::string_view> names_of(DType);
std::span<const std::string_view> names_of(Code);

template <class E>
std::string_view enum_name(E value) {
  const auto names = names_of(E{});
  const auto index = static_cast<size_t>(value);
  return index < names.size() ? names[index] : std::string_view("?");
}

template <class E>
std::optional<E> enum_from_name(std::string_view name) {
  const auto names = names_of(E{});
  for (size_t index = 0; index < names.size(); ++index)
    if (names[index] == name) return static_cast<E>(index);
  return std::nullopt;
}

}  // namespace reloadlab::sim::archive
