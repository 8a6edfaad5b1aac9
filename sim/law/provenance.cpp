#include "sim/law/provenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "sim/checkpoint/digits.h"
#include "sim/evidence/values.h"
#include "sim/law/explain.h"

namespace reloadlab::sim {
namespace {

using model::SlotSpec;

constexpr int64_t kNowhere = 0;     // no load covers the element
constexpr int64_t kAmbiguous = -1;  // several sources do: the duplicate policy decides

// A slot's content under every digit plane.
struct Planes {
  const Shape* shape = nullptr;
  DType dtype = DType::f32;
  std::vector<const Bytes*> content;
};

class Provenance {
 public:
  Provenance(const Evidence& evidence, Tally& tally) : evidence_(evidence), tally_(tally), first_(first_numbers(evidence.deliveries)) {
    for (int plane = 0;; ++plane) {
      const Execution* run = evidence.find(Variation::Kind::digit, {}, plane);
      if (!run) break;
      runs_.push_back(run);
    }
  }

  std::optional<Finding> run() {
    if (runs_.empty()) return std::nullopt;
    for (size_t rank = 0; rank < evidence_.plan.size(); ++rank)
      for (const StepRange& update : updates_of(*runs_[0])) {
        if (!committed(rank, update)) continue;
        for (const std::string& path : paths_of(rank, update))
          if (auto finding = slot(rank, update, path)) return finding;
      }
    return std::nullopt;
  }

 private:
  bool committed(size_t rank, StepRange update) const {
    return went_through(evidence_, rank, update) && std::ranges::all_of(runs_, [&](const Execution* run) {
             const StepOutcome* outcome = outcome_of(run->ranks[rank], update.last);
             return outcome && outcome->status.ok();
           });
  }

  template <class Fn>
  void each_load(size_t rank, StepRange update, Fn&& fn) const {
    for (const PlannedLoad& load : evidence_.plan[rank].loads) {
      if (!update.has(load.step) || load.wrong || load.layer.empty()) continue;
      const StepOutcome* outcome = outcome_of(runs_[0]->ranks[rank], load.step);
      const auto index = static_cast<size_t>(load.index);
      if (outcome && index < outcome->load_statuses.size() && outcome->load_statuses[index].ok()) fn(load);
    }
  }

  std::vector<std::string> paths_of(size_t rank, StepRange update) const {
    std::vector<std::string> paths;
    std::set<std::string> seen;
    each_load(rank, update, [&](const PlannedLoad& load) {
      std::string path = load.layer + "." + load.slot;
      if (!load.placements.empty() && seen.insert(path).second) paths.push_back(std::move(path));
    });
    return paths;
  }

  // The number that belongs at each element.
  std::vector<int64_t> expected(size_t rank, StepRange update, const std::string& path, const Shape& shape) const {
    std::vector<int64_t> numbers(static_cast<size_t>(numel(shape)), kNowhere);
    each_load(rank, update, [&](const PlannedLoad& load) {
      if (load.layer + "." + load.slot != path) return;
      const auto delivery = std::ranges::find(evidence_.deliveries, load.delivery, &model::Delivery::name);
      if (delivery == evidence_.deliveries.end()) return;
      const int64_t first = first_[static_cast<size_t>(delivery - evidence_.deliveries.begin())];
      for (const model::Placement& box : load.placements) place(box, delivery->shape, first, shape, numbers);
    });
    return numbers;
  }

  static void place(const model::Placement& box, const Shape& delivered, int64_t first, const Shape& target,
                    std::vector<int64_t>& numbers) {
    const size_t dims = target.size();
    if (box.extent.size() != dims || delivered.size() > dims) return;
    const Shape source = model::aligned(delivered, dims);
    for (size_t dim = 0; dim < dims; ++dim)
      if (box.target_start[dim] + box.extent[dim] > target[dim]) return;
    const int64_t length = dims == 0 ? 1 : box.extent.back();
    const int64_t count = numel(box.extent);
    for (int64_t i = 0; i < count; i += length) {  // row by row of the innermost dimension
      const Shape within = unflatten(box.extent, i);
      int64_t from = 0, to = 0;
      for (size_t dim = 0; dim < dims; ++dim) {
        from = from * source[dim] + box.source_start[dim] + within[dim];
        to = to * target[dim] + box.target_start[dim] + within[dim];
      }
      for (int64_t at = 0; at < length; ++at) {
        int64_t& number = numbers[static_cast<size_t>(to + at)];
        const int64_t source_number = first + from + at;
        number = number == kNowhere || number == source_number ? source_number : kAmbiguous;
      }
    }
  }

  std::optional<Planes> planes_of(size_t rank, StepRange update, const std::string& path, std::string_view layer) const {
    Planes planes;
    for (const Execution* execution : runs_) {
      const RankRun& run = execution->ranks[rank];
      const RankRun::Entry* entry = nullptr;
      for (const RankRun::Entry& each : run.at_post_load)
        if (update.has(each.step) && each.path == path) entry = &each;
      if (entry) {
        if (!add(planes, entry->shape, entry->dtype, entry->content)) return std::nullopt;
        continue;
      }
      const Census* census = census_after(run, update.last);
      const CensusEntry* slot = census ? census->find(path) : nullptr;
      if (!slot || has_post_load(evidence_, rank, layer) || !add(planes, slot->shape, slot->dtype, slot->content)) return std::nullopt;
    }
    return planes;
  }

  static bool add(Planes& planes, const Shape& shape, DType dtype, const BlobPtr& content) {
    if (!content || (planes.shape && (*planes.shape != shape || planes.dtype != dtype))) return false;
    planes.shape = &shape;
    planes.dtype = dtype;
    planes.content.push_back(&content->bytes);
    return true;
  }

  std::optional<int> digit(const Planes& planes, size_t plane, size_t element, SlotSpec::Transform transform) const {
    const std::byte* at = planes.content[plane]->data() + element * static_cast<size_t>(dtype_size(planes.dtype));
    if (transform == SlotSpec::Transform::none) return digit_of(planes.dtype, at);
    const double copied = undo(transform, decode_value(planes.dtype, at));
    const double nearest = std::round(copied);
    if (!(std::abs(copied - nearest) < 0.25) || nearest < 0 || nearest >= digit_base(planes.dtype)) return std::nullopt;
    return static_cast<int>(nearest);
  }

  // An exponential of a large digit is infinite: then only that it is large can be told.
  bool holds(const Planes& planes, size_t plane, size_t element, SlotSpec::Transform transform, int64_t number) const {
    const int want = digit_at(planes.dtype, number, static_cast<int>(plane));
    if (transform == SlotSpec::Transform::negative_exp) {
      const std::byte* at = planes.content[plane]->data() + element * static_cast<size_t>(dtype_size(planes.dtype));
      if (std::isinf(decode_value(planes.dtype, at))) return want > 10;
    }
    return digit(planes, plane, element, transform) == want;
  }

  // Elements that hold another digit than their number's.
  std::vector<bool> others(const Planes& planes, size_t plane, SlotSpec::Transform transform, const std::vector<int64_t>& numbers) const {
    std::vector<bool> found(numbers.size());
    if (transform == SlotSpec::Transform::none) {
      mark_others(*planes.content[plane], planes.dtype, numbers, static_cast<int>(plane), found);
      return found;
    }
    for (size_t element = 0; element < numbers.size(); ++element)
      found[element] = numbers[element] > 0 && !holds(planes, plane, element, transform, numbers[element]);
    return found;
  }

  std::optional<Finding> slot(size_t rank, StepRange update, const std::string& path) {
    const std::string layer = path.substr(0, path.rfind('.'));
    const auto planes = planes_of(rank, update, path, layer);
    if (!planes) return std::nullopt;
    const auto known = evidence_.transforms.find(path);
    const SlotSpec::Transform transform = known == evidence_.transforms.end() ? SlotSpec::Transform::none : known->second;
    const std::vector<int64_t> numbers = expected(rank, update, path, *planes->shape);
    tally_.check(std::ranges::count_if(numbers, [](int64_t number) { return number > 0; }));
    std::set<int64_t> all;
    size_t first_plane = runs_.size();
    for (size_t plane = 0; plane < runs_.size(); ++plane) {
      const std::vector<bool> found = others(*planes, plane, transform, numbers);
      for (size_t element = 0; element < found.size(); ++element) {
        if (!found[element]) continue;
        all.insert(static_cast<int64_t>(element));
        first_plane = std::min(first_plane, plane);
      }
    }
    const std::vector<int64_t> wrong(all.begin(), all.end());
    if (wrong.empty()) return std::nullopt;
    const auto element = static_cast<size_t>(wrong.front());
    return Finding{.execution = runs_[first_plane]->variation.label(),
                   .rank = static_cast<int>(rank),
                   .step = update.last,
                   .tensor = path,
                   .what = fmt::format("{} {}: {} of {} elements do not come from where they should: {}", dtype_name(planes->dtype),
                                       list_text(*planes->shape), count_text(static_cast<int64_t>(wrong.size())),
                                       count_text(static_cast<int64_t>(numbers.size())), extent_text(*planes->shape, wrong)),
                   .first = fmt::format("{} holds {}, should hold {}", list_text(unflatten(*planes->shape, wrong.front())),
                                        found_text(*planes, element, transform), number_text(numbers[element])),
                   .why = explain(evidence_, *runs_[first_plane], rank, update.last, layer)};
  }

  std::string number_text(int64_t number) const {
    const auto next = std::ranges::upper_bound(first_, number);
    if (next == first_.begin() || next == first_.end()) return {};
    const model::Delivery& delivery = evidence_.deliveries[static_cast<size_t>(next - first_.begin()) - 1];
    return fmt::format("{} {}", delivery.name, list_text(unflatten(delivery.shape, number - *(next - 1))));
  }

  std::string found_text(const Planes& planes, size_t element, SlotSpec::Transform transform) const {
    int64_t number = 0, weight = 1;
    for (size_t plane = 0; plane < runs_.size(); ++plane) {
      const std::byte* at = planes.content[plane]->data() + element * static_cast<size_t>(dtype_size(planes.dtype));
      const auto found = digit(planes, plane, element, transform);
      if (!found && looks_poisoned(planes.dtype, at)) return "poison: never written";
      if (!found) return fmt::format("{}, which no source element is", value_text(planes.dtype, at));
      if (weight > first_.back()) continue;
      number += *found * weight;
      weight *= digit_base(planes.dtype);
    }
    const std::string source = number_text(number);
    return source.empty() ? "no source element" : source;
  }

  const Evidence& evidence_;
  Tally& tally_;
  std::vector<int64_t> first_;
  std::vector<const Execution*> runs_;
};

}  // namespace

std::optional<Finding> judge_provenance(const Evidence& evidence, Tally& tally) { return Provenance(evidence, tally).run(); }

}  // namespace reloadlab::sim
