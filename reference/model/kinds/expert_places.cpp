#include "reference/model/kinds/expert_places.h"

#include "reference/model/kinds/expert_stacks.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

struct Places {
  int64_t experts, redundant, ranks;
  bool round;

  int64_t count() const { return experts + redundant; }
  int64_t local() const { return count() / ranks; }
  int64_t physical_of(int64_t replica) const { return round ? replica % ranks * local() + replica / ranks : replica; }
  int64_t expert_at(int64_t physical) const {
    const int64_t replica = round ? physical % local() * ranks + physical / local() : physical;
    return replica % experts;
  }
};

Places stack_places_of(const LayerSpec& spec, TensorParallel tp) {
  return {spec.integer("experts"), spec.integer("redundant"), tp.size, spec.text("placement") == "round_robin"};
}

}  // namespace

std::vector<int64_t> places_on_rank(const LayerSpec& spec, int64_t expert, TensorParallel tp) {
  if (!by_expert(spec)) return {expert};
  const Places places = stack_places_of(spec, tp);
  std::vector<int64_t> here;
  for (int64_t replica = expert; replica < places.count(); replica += places.experts) {
    const int64_t physical = places.physical_of(replica);
    if (physical / places.local() == tp.rank) here.push_back(physical % places.local());
  }
  return here;
}

std::vector<Placement> place_expert(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) {
  const std::vector<Stacks> all_stacks = stacks_of(spec);
  const Stacks& stacks = stacks_with(all_stacks, delivery.slot);
  const std::vector<int64_t> places = places_on_rank(spec, *delivery.expert, tp);
  std::vector<Placement> all;
  if (stacks.packed == Stacks::pair) {
    for (const int64_t place : places) all.push_back({{0, 0}, {place, 0}, {1, 2}});
    return all;
  }
  const std::string& shard = *delivery.shard;
  if (stacks.packed == Stacks::number) {
    for (const int64_t place : places)
      all.push_back(shard == "w2" ? Placement{{0}, {place}, {1}} : Placement{{0, 0}, {place, shard == "w3" ? 1 : 0}, {1, 1}});
    return all;
  }
  const Shape matrix = stacks.whole(shard);
  const int64_t whole = matrix[shard == "w2" ? 1 : 0];
  const Piece share = by_expert(spec) ? Piece{whole, 0, whole} : piece_of(whole, whole, tp);
  for (const int64_t place : places) {
    if (shard == "w2") {
      all.push_back({{0, 0, share.start}, {place, 0, 0}, {1, matrix[0], share.local}});
    } else {
      all.push_back({{0, share.start, 0}, {place, shard == "w3" ? share.local : 0, 0}, {1, share.local, matrix[1]}});
    }
  }
  return all;
}

void append_table_slots(const LayerSpec& spec, TensorParallel tp, std::vector<SlotSpec>& slots) {
  const Places places = stack_places_of(spec, tp);
  const int64_t local = places.local(), first = local * tp.rank, copies = places.redundant > 0 ? 2 : 1;
  const auto add = [&](const char* name, Shape shape, std::function<double(int64_t)> constant) {
    slots.push_back(
        {.name = name, .kind = SlotSpec::Kind::buffer, .shape = std::move(shape), .dtype = DType::i32, .constant = std::move(constant)});
  };
  const auto as_number = [](int64_t number) { return static_cast<double>(number); };
  add("_expert_map", {places.count()},
      [=](int64_t physical) { return as_number(physical >= first && physical < first + local ? physical - first : -1); });
  add("expert_global_to_physical", {places.experts, copies}, [=](int64_t at) {
    const int64_t replica = at / copies + at % copies * places.experts;
    return as_number(replica < places.count() ? places.physical_of(replica) : -1);
  });
  add("expert_physical_to_global", {places.count()}, [=](int64_t physical) { return as_number(places.expert_at(physical)); });
  add("expert_local_to_global", {local}, [=](int64_t place) { return as_number(places.expert_at(first + place)); });
}

}  // namespace reloadlab::model
