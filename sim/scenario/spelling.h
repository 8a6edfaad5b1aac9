#pragma once
// Spellings of the enumerations in scenario files, both ways: binding reads them, emit writes them.
#include <array>
#include <string_view>
#include <utility>

#include "reference/base/check.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim {

template <class Enum, size_t count>
using Spellings = std::array<std::pair<Enum, std::string_view>, count>;

inline constexpr Spellings<WorldKind, 4> world_spellings{
    {{WorldKind::cpu, "cpu"}, {WorldKind::meta, "meta"}, {WorldKind::sim, "sim"}, {WorldKind::cuda, "cuda"}}};
inline constexpr Spellings<Collectives::Order, 2> collectives_spellings{
    {{Collectives::Order::nccl, "nccl"}, {Collectives::Order::gloo, "gloo"}}};
inline constexpr Spellings<GpuAllocator, 3> allocator_spellings{{{GpuAllocator::native, "native"},
                                                                 {GpuAllocator::expandable_segments, "expandable_segments"},
                                                                 {GpuAllocator::cuda_malloc_async, "cudaMallocAsync"}}};
// Compute capabilities that LibTorch's kernels are made for, and those that have them built in time.
inline constexpr Spellings<int, 11> capability_spellings{{{75, "7.5"},
                                                          {80, "8.0"},
                                                          {86, "8.6"},
                                                          {87, "8.7"},
                                                          {89, "8.9"},
                                                          {90, "9.0"},
                                                          {100, "10.0"},
                                                          {103, "10.3"},
                                                          {110, "11.0"},
                                                          {120, "12.0"},
                                                          {121, "12.1"}}};
inline constexpr Spellings<Record, 3> record_spellings{
    {{Record::after_construction, "after_construction"}, {Record::never, "never"}, {Record::after_registration, "after_registration"}}};
inline constexpr Spellings<Step::Outcome, 3> outcome_spellings{
    {{Step::Outcome::ok, "ok"}, {Step::Outcome::error, "error"}, {Step::Outcome::unspecified, "unspecified"}}};
inline constexpr Spellings<Expect::Completed, 3> completed_spellings{{{Expect::Completed::at_last_load, "at_last_load"},
                                                                      {Expect::Completed::at_finish, "at_finish"},
                                                                      {Expect::Completed::unspecified, "unspecified"}}};
inline constexpr Spellings<Fault::At, 5> fault_spellings{{{Fault::At::loader, "loader"},
                                                          {Fault::At::post_load_enter, "post_load_enter"},
                                                          {Fault::At::post_load_middle, "post_load_middle"},
                                                          {Fault::At::copy_back, "copy_back"},
                                                          {Fault::At::source, "source"}}};
inline constexpr Spellings<LoadPlan::Layout, 4> layout_spellings{{{LoadPlan::Layout::dense, "dense"},
                                                                  {LoadPlan::Layout::strided, "strided"},
                                                                  {LoadPlan::Layout::transposed, "transposed"},
                                                                  {LoadPlan::Layout::offset, "offset"}}};
inline constexpr Spellings<LoadPlan::Source, 3> source_spellings{
    {{LoadPlan::Source::local, "local"}, {LoadPlan::Source::stream, "stream"}, {LoadPlan::Source::ipc, "ipc"}}};
inline constexpr Spellings<LoadPlan::Handle, 2> handle_spellings{
    {{LoadPlan::Handle::closed, "closed"}, {LoadPlan::Handle::reused, "reused"}}};
inline constexpr Spellings<LoadPlan::Resolve, 3> resolve_spellings{{{LoadPlan::Resolve::loads_begin, "loads_begin"},
                                                                    {LoadPlan::Resolve::each_load, "each_load"},
                                                                    {LoadPlan::Resolve::before_prepare, "before_prepare"}}};
inline constexpr Spellings<StepKind, 19> step_spellings{{{StepKind::load, "load"},
                                                         {StepKind::reload, "reload"},
                                                         {StepKind::prepare, "prepare"},
                                                         {StepKind::loads, "loads"},
                                                         {StepKind::finish, "finish"},
                                                         {StepKind::abort, "abort"},
                                                         {StepKind::retry, "retry"},
                                                         {StepKind::forward, "forward"},
                                                         {StepKind::destroy, "destroy"},
                                                         {StepKind::repeat, "repeat"},
                                                         {StepKind::pass, "pass"},
                                                         {StepKind::update_owner, "update_owner"},
                                                         {StepKind::drain, "drain"},
                                                         {StepKind::reset, "reset"},
                                                         {StepKind::capture, "capture"},
                                                         {StepKind::replay, "replay"},
                                                         {StepKind::host_sync, "host_sync"},
                                                         {StepKind::sleep, "sleep"},
                                                         {StepKind::wake, "wake"}}};
inline constexpr Spellings<Deviation, 10> deviation_spellings{{{Deviation::until, "until"},
                                                               {Deviation::skip, "skip"},
                                                               {Deviation::twice, "twice"},
                                                               {Deviation::swap, "swap"},
                                                               {Deviation::reach_twice, "reach_twice"},
                                                               {Deviation::unreached, "unreached"},
                                                               {Deviation::early, "early"},
                                                               {Deviation::bypass, "bypass"},
                                                               {Deviation::second_reader, "second_reader"},
                                                               {Deviation::sync, "sync"}}};
inline constexpr Spellings<Pass::Stream, 3> stream_spellings{
    {{Pass::Stream::current, "current"}, {Pass::Stream::joined, "joined"}, {Pass::Stream::unjoined, "unjoined"}}};
inline constexpr Spellings<Graphs::Mode, 2> mode_spellings{
    {{Graphs::Mode::thread_local_, "thread_local"}, {Graphs::Mode::global, "global"}}};
inline constexpr Spellings<Via, 2> via_spellings{{{Via::series, "series"}, {Via::layerwise, "layerwise"}}};
// Orders that are one word; the others are written as a map or a list.
inline constexpr Spellings<OrderKind, 4> order_spellings{{{OrderKind::listed, "listed"},
                                                          {OrderKind::by_layer, "by_layer"},
                                                          {OrderKind::reversed, "reversed"},
                                                          {OrderKind::interleaved, "interleaved"}}};

template <class Enum, size_t count>
constexpr std::string_view spell(const Spellings<Enum, count>& spellings, Enum value) {
  for (const auto& [candidate, word] : spellings)
    if (candidate == value) return word;
  return {};
}

// REQUIRES that the table has the word: the schema let it through.
template <class Enum, size_t count>
Enum unspell(const Spellings<Enum, count>& spellings, std::string_view word) {
  for (const auto& [value, candidate] : spellings)
    if (candidate == word) return value;
  RELOADLAB_CHECK(false, std::string(word));
  return spellings[0].first;
}

}  // namespace reloadlab::sim
