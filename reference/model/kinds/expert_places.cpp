#include "reference/model/kinds/expert_places.h"

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

Places places_of(const LayerSpec& spec, TensorParallel tp) {
  return {spec.integer("experts"), spec.integer("redundant"), tp.size, spec.text("placement") == "round_robin"};
}

}  // namespace

std::vector<int64_t> places_on_rank(const LayerSpec& spec, int64_t expert, TensorParallel tp) {
  if (spec.text("parallel") == "tensor") return {expert};
  const Places places = places_of(spec, tp);
  std::vector<int64_t> here;
  for (int64_t replica = expert; replica < places.count(); replica += places.experts) {
    const int64_t physical = places.physical_of(replica);
    if (physical / places.local() == tp.rank) here.push_back(physical % places.local());
  }
  return here;
}

void append_table_slots(const LayerSpec& spec, TensorParallel tp, std::vector<SlotSpec>& slots) {
  const Places places = places_of(spec, tp);
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
