#include "reference/model/kinds/expert_loader.h"

#include <fmt/format.h>

#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/expert_stacks.h"

namespace reloadlab::model {
namespace {

bool dealt_round(const LayerSpec& spec) { return spec.text("placement") == "round_robin"; }
int64_t places_of(const LayerSpec& spec) { return spec.integer("experts") + spec.integer("redundant"); }
int64_t copies_of(const LayerSpec& spec) { return spec.integer("redundant") > 0 ? 2 : 1; }  // at most

// The expert that the constructor and the loader find at one of a rank's places, counted on over its second copy.
int64_t replica_at(bool round, int64_t place, int64_t places, TensorParallel tp) {
  return round ? place * tp.size + tp.rank : tp.rank * places + place;
}

// The shard is "w1", "w2" or "w3", the expert the number that checkpoints give it.
struct LoadExpert {
  int64_t hidden, intermediate, experts;
  bool by_expert, round;
  int64_t packed, rows_packed;  // as of Stacks

  Status operator()(TensorParallel group, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const {
    return copy_boxes(boxes(group, destination.tensor, loaded, args));
  }
  Result<LoadBoxes> boxes(TensorParallel group, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs& args) const {
    const TensorParallel tp = by_expert ? group.over_all() : group;
    const std::string_view shard = args.shard ? std::string_view(*args.shard) : std::string_view();
    const bool down = shard == "w2";
    if (!down && shard != "w1" && shard != "w3") return Status(Code::failed, fmt::format("shard \"{}\" is none of w1, w2, w3", shard));
    if (const int64_t expert = args.expert.value_or(-1); expert < 0 || expert >= experts)
      return Status(Code::failed, fmt::format("expert {} is none of the {}", expert, experts));
    RELOADLAB_TRY(expect_shape(loaded, whole(down)));
    const Range range = range_of(tp, destination, shard);
    if (!by_expert) return LoadBoxes{box_of(at_place(destination, *args.expert), loaded, range)};
    const int64_t places = destination.size(0);
    LoadBoxes all;
    for (int64_t place = 0; place < places; ++place)
      if (replica_at(round, place, places, tp) % experts == *args.expert)
        all.push_back(box_of(at_place(destination, place), loaded, range));
    return all;
  }

  static Part at_place(const at::Tensor& stack, int64_t place) {
    return stack.dim() > 1 ? Part(stack).select(0, place) : Part(stack).narrow(0, place, 1);
  }

  WholeShape whole(bool down) const {
    if (packed == Stacks::pair) return {{2}, 1};
    if (packed == Stacks::number) return {{1}, 1};
    return down ? WholeShape{{hidden / rows_packed, intermediate / packed}, 2}
                : WholeShape{{intermediate / rows_packed, hidden / packed}, 2};
  }
  Range range_of(TensorParallel tp, const at::Tensor& stack, std::string_view shard) const {
    if (packed == Stacks::pair) return {.length = 2};
    if (packed == Stacks::number) return {.target = shard == "w3" ? 1 : 0, .length = 1};
    return share_of(tp, stack, shard);
  }
  Range share_of(TensorParallel tp, const at::Tensor& stack, std::string_view shard) const {
    const int64_t share = shard == "w2" ? stack.size(2) : stack.size(1) / 2;
    return {.dim = shard == "w2" ? 1 : 0, .target = shard == "w3" ? share : 0, .source = by_expert ? 0 : share * tp.rank, .length = share};
  }
};

}  // namespace

void add_stacks(const LayerPtr& layer) {
  const LayerSpec& spec = layer->spec;
  const int64_t experts = spec.integer("experts"), places = by_expert(spec) ? places_of(spec) / layer->tp.over_all().size : experts;
  for (const Stacks& stacks : stacks_of(spec)) {
    const auto& [suffix, hidden, intermediate, dtype, packed, rows] = stacks;
    const int64_t share = by_expert(spec) ? intermediate : intermediate / layer->tp.size;
    const LoadExpert rule{hidden, intermediate, experts, by_expert(spec), dealt_round(spec), packed, rows};
    const auto add = [&, dtype = dtype](std::string_view shard, at::IntArrayRef shape) {
      set_loader(add_parameter(*layer, stacks.slot(shard), shape, dtype), rule_loader(layer, rule));
    };
    if (packed == Stacks::pair) {
      for (const char* shard : {"w1", "w2"}) add(shard, {places, 2});
      continue;
    }
    if (packed == Stacks::number) {
      add("w1", {places, 2});
      add("w2", {places});
      continue;
    }
    add("w1", {places, 2 * share / rows, hidden / packed});
    add("w2", {places, hidden / rows, share / packed});
  }
}

void add_tables(Layer& layer) {
  const LayerSpec& spec = layer.spec;
  const TensorParallel tp = layer.tp.over_all();
  const int64_t places = places_of(spec), experts = spec.integer("experts"), copies = copies_of(spec), local = places / tp.size;
  std::vector<int64_t> map(static_cast<size_t>(places), -1), to_physical(static_cast<size_t>(experts * copies), -1), to_global, own;
  for (int rank = 0; rank < tp.size; ++rank)
    for (int64_t place = 0; place < local; ++place) {
      const int64_t replica = replica_at(dealt_round(spec), place, local, {rank, tp.size});
      const int64_t expert = replica % experts, physical = rank * local + place;
      to_global.push_back(expert);
      to_physical[static_cast<size_t>(expert * copies + replica / experts)] = physical;
      if (rank != tp.rank) continue;
      map[static_cast<size_t>(physical)] = place;
      own.push_back(expert);
    }
  set_values(add_buffer(layer, "_expert_map", {places}, DType::i32, true), map);
  set_values(add_buffer(layer, "expert_global_to_physical", {experts, copies}, DType::i32, true), to_physical);
  set_values(add_buffer(layer, "expert_physical_to_global", {places}, DType::i32, true), to_global);
  set_values(add_buffer(layer, "expert_local_to_global", {local}, DType::i32, true), own);
}

}  // namespace reloadlab::model
