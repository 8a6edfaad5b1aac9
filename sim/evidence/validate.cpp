#include "sim/evidence/validate.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

constexpr int64_t kElementsMost = int64_t{1} << 44;
constexpr int kRanksMost = 1 << 16;
constexpr size_t kDimensionsMost = 16;

Status bad(const std::string& where, std::string_view what) { return Status(Code::data, fmt::format("{}: {}", where, what)); }

bool shape_is_sane(const Shape& shape) {
  if (shape.size() > kDimensionsMost) return false;
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || extent > kElementsMost) return false;
    if (extent != 0 && elements > kElementsMost / extent) return false;
    elements *= std::max<int64_t>(extent, 1);
  }
  return true;
}

bool content_fits(const BlobPtr& content, const Shape& shape, DType dtype) {
  return !content || static_cast<int64_t>(content->bytes.size()) == numel(shape) * dtype_size(dtype);
}

bool in_range(int64_t index, size_t size) { return index >= -1 && index < static_cast<int64_t>(size); }

Status check_entry(const CensusEntry& entry, const std::string& where) {
  const std::string place = fmt::format("{} {}", where, entry.path);
  if (!shape_is_sane(entry.shape)) return bad(place, "a shape that no tensor has");
  if (!content_fits(entry.content, entry.shape, entry.dtype)) return bad(place, "content of another size than its shape and dtype");
  if (entry.strides.size() != entry.shape.size()) return bad(place, "strides that do not match the shape");
  int64_t reach = entry.offset;
  if (reach < 0 || reach > kElementsMost) return bad(place, "an offset out of range");
  for (size_t dim = 0; dim < entry.shape.size(); ++dim) {
    const int64_t stride = entry.strides[dim], extent = entry.shape[dim];
    if (stride < 0 || (extent > 1 && stride > (kElementsMost - reach) / (extent - 1))) return bad(place, "strides that reach too far");
    if (extent > 1) reach += stride * (extent - 1);
  }
  return {};
}

Status check_rank_run(const Evidence& evidence, const Execution& execution, const RankRun& run, const std::string& where) {
  const size_t steps = execution.steps.size();
  for (const Event& event : run.events)
    if (!in_range(event.step, steps) || !in_range(event.layer, evidence.layers.size()) || event.load < -1)
      return bad(where, "an event that names a step, layer or load that does not exist");
  for (const Census& census : run.censuses) {
    if (!in_range(census.step, steps)) return bad(where, "a census after a step that does not exist");
    for (const CensusEntry& entry : census.entries) RELOADLAB_TRY(check_entry(entry, where));
  }
  for (const StepOutcome& outcome : run.outcomes)
    if (!in_range(outcome.step, steps)) return bad(where, "an outcome of a step that does not exist");
  for (const StepOutcome& outcome : run.outcomes)
    if (outcome.copies < 0 || outcome.copied_bytes < 0) return bad(where, "fewer copies than none");
  for (const CoverageReport& report : run.coverage)
    if (!in_range(report.step, steps)) return bad(where, "a coverage report at a step that does not exist");
  for (const Event& event : run.events)
    if (event.kind == EventKind::read && (event.value < 0 || event.value >= static_cast<int64_t>(run.reads.size())))
      return bad(where, "an event that names a read that does not exist");
  for (const RankRun::Read& read : run.reads)
    if (!in_range(read.step, steps) || !in_range(read.layer, evidence.layers.size()) || read.layer < 0 || !shape_is_sane(read.shape) ||
        !content_fits(read.content, read.shape, read.dtype))
      return bad(where, fmt::format("a malformed read of {}", read.slot));
  for (const RankRun::GraphRead& read : run.graph_reads)
    if (read.step < 0 || !in_range(read.step, steps)) return bad(where, fmt::format("a graph that read {} in no step", read.path));
  for (const RankRun::Entry& entry : run.at_post_load)
    if (!in_range(entry.step, steps) || !shape_is_sane(entry.shape) || !content_fits(entry.content, entry.shape, entry.dtype))
      return bad(where, fmt::format("a malformed entry of {}", entry.path));
  return {};
}

Status check_load(const Evidence& evidence, const PlannedLoad& load, const std::string& where) {
  if (load.step < -1 || load.index < -1) return bad(where, "a load at a negative place");
  const auto delivery = std::ranges::find(evidence.deliveries, load.delivery, &model::Delivery::name);
  for (const model::Placement& box : load.placements) {
    const size_t dims = box.extent.size();
    if (box.source_start.size() != dims || box.target_start.size() != dims || !shape_is_sane(box.extent) ||
        !shape_is_sane(box.source_start) || !shape_is_sane(box.target_start))
      return bad(where, fmt::format("a malformed placement of {}", load.delivery));
    if (delivery == evidence.deliveries.end()) continue;
    if (delivery->shape.size() > dims) return bad(where, fmt::format("a placement of {} with other dimensions", load.delivery));
    const Shape source = model::aligned(delivery->shape, dims);
    for (size_t dim = 0; dim < dims; ++dim)
      if (box.source_start[dim] + box.extent[dim] > source[dim]) return bad(where, fmt::format("a placement outside {}", load.delivery));
  }
  return {};
}

Status check_plan(const Evidence& evidence) {
  int64_t elements = 0;
  for (const model::Delivery& delivery : evidence.deliveries) {
    if (!shape_is_sane(delivery.shape)) return bad("deliveries", "a shape that no tensor has");
    elements += numel(delivery.shape);
    if (elements > kElementsMost) return bad("deliveries", "too many elements");
  }
  for (size_t rank = 0; rank < evidence.plan.size(); ++rank)
    for (const PlannedLoad& load : evidence.plan[rank].loads) RELOADLAB_TRY(check_load(evidence, load, fmt::format("plan/{}", rank)));
  return {};
}

Status check_numbers(const Evidence& evidence) {
  const auto good = [&](const std::vector<int>& numbers) {
    return std::ranges::adjacent_find(numbers, std::ranges::greater_equal()) == numbers.end() &&
           std::ranges::all_of(numbers, [&](int number) { return number >= 0 && number < evidence.the_case.ranks; });
  };
  if (!good(evidence.numbers)) return bad("numbers", "no ascending numbers of ranks");
  for (const RankClass& each : evidence.classes)
    if (!good(each.members) || !good(each.played)) return bad("classes", "no ascending numbers of ranks");
  return {};
}

}  // namespace

Status validate(const Evidence& evidence) {
  const int ranks = evidence.the_case.ranks;
  if (ranks < 1 || ranks > kRanksMost) return bad("case", "a number of ranks out of range");
  RELOADLAB_TRY(check_numbers(evidence));
  const size_t played = evidence.numbers.empty() ? static_cast<size_t>(ranks) : evidence.numbers.size();
  if (evidence.plan.size() != played) return bad("plan", "another number of ranks than the case");
  RELOADLAB_TRY(check_plan(evidence));
  for (const Execution& execution : evidence.executions) {
    const std::string label = execution.variation.label();
    if (execution.ranks.size() != played) return bad(label, "another number of ranks than the case");
    if (!in_range(execution.stopped_in, execution.steps.size())) return bad(label, "stopped in a step that does not exist");
    for (size_t rank = 0; rank < execution.ranks.size(); ++rank)
      RELOADLAB_TRY(check_rank_run(evidence, execution, execution.ranks[rank], fmt::format("{}, rank {}", label, rank)));
  }
  return {};
}

}  // namespace reloadlab::sim
