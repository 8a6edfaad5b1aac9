#include "sim/evidence/enums.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace reloadlab::sim::archive {
namespace {

using Names = std::span<const std::string_view>;

// A table whose last value is given must have a name for each value up to it.
template <class E, size_t N>
constexpr const std::string_view (&checked(const std::string_view (&names)[N], E last))[N] {
  if (static_cast<size_t>(last) + 1 != N) throw "a value has no name";
  return names;
}

constexpr std::string_view kVariation[] = {"warm", "poison", "cold", "digit", "order", "fault", "repeat", "again"};
constexpr std::string_view kEntry[] = {"parameter", "buffer", "empty_parameter", "empty_buffer", "extra_tensor", "extra_host"};
constexpr std::string_view kCoverage[] = {"missing", "excess", "unexpected"};
constexpr std::string_view kFault[] = {"loader", "post_load_enter", "post_load_middle", "copy_back", "source"};
constexpr std::string_view kLayout[] = {"dense", "strided", "transposed", "offset"};
constexpr std::string_view kBringer[] = {"local", "stream", "ipc"};
constexpr std::string_view kHandle[] = {"closed", "reused"};
constexpr std::string_view kStep[] = {"load",    "reload",  "prepare",   "loads", "finish",       "abort", "retry",
                                      "forward", "destroy", "repeat",    "pass",  "update_owner", "drain", "reset",
                                      "capture", "replay",  "host_sync", "sleep", "wake"};
constexpr std::string_view kOutcome[] = {"ok", "error", "unspecified"};
constexpr std::string_view kOrder[] = {"listed", "by_layer", "reversed", "shuffled", "interleaved", "explicit_list"};
constexpr std::string_view kResolve[] = {"loads_begin", "each_load", "before_prepare"};
constexpr std::string_view kRecord[] = {"after_construction", "never", "after_registration"};
constexpr std::string_view kDeviation[] = {"until",     "skip",  "twice",  "swap",          "reach_twice",
                                           "unreached", "early", "bypass", "second_reader", "sync"};
constexpr std::string_view kStream[] = {"current", "joined", "unjoined"};
constexpr std::string_view kVia[] = {"series", "layerwise"};
constexpr std::string_view kMode[] = {"thread_local", "global"};
constexpr std::string_view kCompleted[] = {"at_last_load", "at_finish", "unspecified"};
constexpr std::string_view kWorld[] = {"cpu", "meta", "sim", "cuda"};
constexpr std::string_view kCollectives[] = {"nccl", "gloo"};
constexpr std::string_view kAllocator[] = {"environment", "native", "expandable_segments", "cudaMallocAsync"};
constexpr std::string_view kSource[] = {"synthetic", "safetensors", "perturbed"};
constexpr std::string_view kTransform[] = {"none", "negate", "negative_exp"};

static_assert(&checked(kVariation, Variation::Kind::again));
static_assert(&checked(kEntry, CensusEntry::Kind::extra_host));
static_assert(&checked(kCoverage, CoverageReport::Kind::unexpected));
static_assert(&checked(kFault, Fault::At::source));
static_assert(&checked(kLayout, LoadPlan::Layout::offset));
static_assert(&checked(kBringer, LoadPlan::Source::ipc));
static_assert(&checked(kHandle, LoadPlan::Handle::reused));
static_assert(&checked(kStep, StepKind::wake));
static_assert(&checked(kDeviation, Deviation::sync));
static_assert(&checked(kStream, Pass::Stream::unjoined));
static_assert(&checked(kVia, Via::layerwise));
static_assert(&checked(kMode, Graphs::Mode::global));
static_assert(&checked(kOutcome, Step::Outcome::unspecified));
static_assert(&checked(kOrder, OrderKind::explicit_list));
static_assert(&checked(kResolve, LoadPlan::Resolve::before_prepare));
static_assert(&checked(kRecord, Record::after_registration));
static_assert(&checked(kCompleted, Expect::Completed::unspecified));
static_assert(&checked(kWorld, WorldKind::cuda));
static_assert(&checked(kCollectives, Collectives::Order::gloo));
static_assert(&checked(kAllocator, GpuAllocator::cuda_malloc_async));
static_assert(&checked(kSource, CheckpointSpec::Source::perturbed));
static_assert(&checked(kTransform, model::SlotSpec::Transform::negative_exp));

template <class E, class Name>
std::vector<std::string_view> names_up_to(E last, Name&& name) {
  std::vector<std::string_view> names;
  for (int value = 0; value <= static_cast<int>(last); ++value) names.push_back(name(static_cast<E>(value)));
  return names;
}

}  // namespace

Names names_of(Variation::Kind) { return kVariation; }
Names names_of(CensusEntry::Kind) { return kEntry; }
Names names_of(CoverageReport::Kind) { return kCoverage; }
Names names_of(Fault::At) { return kFault; }
Names names_of(LoadPlan::Layout) { return kLayout; }
Names names_of(LoadPlan::Source) { return kBringer; }
Names names_of(LoadPlan::Handle) { return kHandle; }
Names names_of(StepKind) { return kStep; }
Names names_of(Step::Outcome) { return kOutcome; }
Names names_of(OrderKind) { return kOrder; }
Names names_of(LoadPlan::Resolve) { return kResolve; }
Names names_of(Record) { return kRecord; }
Names names_of(Deviation) { return kDeviation; }
Names names_of(Pass::Stream) { return kStream; }
Names names_of(Via) { return kVia; }
Names names_of(Graphs::Mode) { return kMode; }
Names names_of(Expect::Completed) { return kCompleted; }
Names names_of(WorldKind) { return kWorld; }
Names names_of(Collectives::Order) { return kCollectives; }
Names names_of(GpuAllocator) { return kAllocator; }
Names names_of(CheckpointSpec::Source) { return kSource; }
Names names_of(model::SlotSpec::Transform) { return kTransform; }

Names names_of(EventKind) {
  static const auto names = names_up_to(EventKind::reloaded, event_name);
  return names;
}
Names names_of(DType) {
  static const auto names = names_up_to(DType::boolean, dtype_name);
  return names;
}
Names names_of(Code) {
  static const auto names = names_up_to(Code::unsupported, code_name);
  return names;
}

}  // namespace reloadlab::sim::archive
