#include "sim/replay/rank_classes.h"

#include <algorithm>

#include "reference/base/prng.h"
#include "reference/model/post_load.h"

namespace reloadlab::sim {
namespace {

class Print {
 public:
  void add(uint64_t value) { print_ = mix64(print_ ^ value); }
  void add(const Shape& shape) {
    add(shape.size());
    for (int64_t extent : shape) add(static_cast<uint64_t>(extent));
  }
  uint64_t value() const { return print_; }

 private:
  uint64_t print_ = 1;
};

uint64_t print_of(const model::Delivery& delivery, const std::vector<model::Placement>& placements) {
  Print print;
  print.add(hash_name(delivery.slot));
  print.add(delivery.shape);
  for (const model::Placement& p : placements) print.add(p.target_start), print.add(p.extent);
  return print.value();
}

uint64_t print_of(const std::vector<model::SlotSpec>& slots) {
  Print print;
  for (const model::SlotSpec& slot : slots) print.add(hash_name(slot.name)), print.add(slot.shape);
  return print.value();
}

// Which expert a rank holds makes no difference: what its layer is brought is a sum over its deliveries, in any order.
uint64_t print_of(const Catalogue& catalogue, model::TensorParallel tp) {
  std::vector<uint64_t> brought(static_cast<size_t>(catalogue.layer_count()), 0);
  for (size_t d = 0; d < catalogue.deliveries().size(); ++d) {
    const int layer = catalogue.layer_of(static_cast<int>(d));
    const model::Delivery& delivery = catalogue.deliveries()[d];
    const auto placements = catalogue.kind(layer).placements(catalogue.layer(layer), delivery, tp);
    if (!placements.empty()) brought[static_cast<size_t>(layer)] += print_of(delivery, placements);
  }
  Print print;
  for (int layer = 0; layer < catalogue.layer_count(); ++layer) {
    print.add(print_of(catalogue.kind(layer).slots(catalogue.layer(layer), tp)));
    print.add(catalogue.kind(layer).loader_pads(catalogue.layer(layer), tp));
    print.add(brought[static_cast<size_t>(layer)]);
  }
  return print.value();
}

std::vector<int> drawn(const std::vector<int>& members, size_t count, Prng prng) {
  if (count == 0 || count >= members.size()) return members;
  std::vector<int> inner(members.begin() + 1, members.end() - 1), played{members.front()};
  if (count > 1) played.push_back(members.back());
  while (played.size() < count) {
    const auto at = inner.begin() + static_cast<std::ptrdiff_t>(prng.below(inner.size()));
    played.push_back(*at);
    inner.erase(at);
  }
  std::ranges::sort(played);
  return played;
}

}  // namespace

std::vector<RankClass> rank_classes(const Catalogue& catalogue, const Case& the_case) {
  if (the_case.ranks == 1) return {{.members = {0}, .played = {0}}};
  std::vector<RankClass> classes;
  std::vector<uint64_t> prints;
  for (int rank = 0; rank < the_case.ranks; ++rank) {
    const uint64_t print = print_of(catalogue, the_case.parallel(rank));
    const auto found = std::ranges::find(prints, print);
    const auto at = static_cast<size_t>(found - prints.begin());
    if (found == prints.end()) prints.push_back(print), classes.emplace_back();
    classes[at].members.push_back(rank);
  }
  const Prng prng = Prng(the_case.seed).split("sample");
  for (RankClass& each : classes) each.played = drawn(each.members, static_cast<size_t>(the_case.sample), prng);
  return classes;
}

}  // namespace reloadlab::sim
