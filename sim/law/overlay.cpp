#include "sim/law/overlay.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace reloadlab::sim {
namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

bool has_content(const CensusEntry& entry) { return entry.content && entry.storage >= 0; }

// Calls fn(flat, position) for every element of the box: its row-major index in the shape, and its element position in the storage.
template <class Fn>
void walk(const CensusEntry& entry, const Shape& start, const Shape& extent, Fn&& fn) {
  if (std::ranges::find(extent, 0) != extent.end()) return;
  Shape index(extent.size(), 0);
  for (;;) {
    int64_t flat = 0, position = entry.offset;
    for (size_t dim = 0; dim < index.size(); ++dim) {
      flat = flat * entry.shape[dim] + start[dim] + index[dim];
      position += (start[dim] + index[dim]) * entry.strides[dim];
    }
    fn(flat, position);
    size_t dim = index.size();
    while (dim > 0 && ++index[dim - 1] == extent[dim - 1]) index[--dim] = 0;
    if (dim == 0) return;
  }
}

template <class Fn>
void walk_all(const CensusEntry& entry, Fn&& fn) {
  walk(entry, Shape(entry.shape.size(), 0), entry.shape, fn);
}

bool fits(const model::Placement& box, const CensusEntry& entry) {
  if (box.extent.size() != entry.shape.size()) return false;
  for (size_t dim = 0; dim < entry.shape.size(); ++dim)
    if (box.target_start[dim] + box.extent[dim] > entry.shape[dim]) return false;
  return true;
}

class Images {
 public:
  explicit Images(const Census& census) {
    for (const CensusEntry& entry : census.entries)
      if (has_content(entry)) scatter(entry, entry.content->bytes);
  }
  void write(const CensusEntry& entry, const Bytes& content, const model::Placement& box) {
    const int64_t size = dtype_size(entry.dtype);
    Bytes& image = images_[entry.storage];
    walk(entry, box.target_start, box.extent,
         [&](int64_t flat, int64_t position) { std::memcpy(&image[at(position * size)], &content[at(flat * size)], at(size)); });
  }
  Bytes read(const CensusEntry& entry) const {
    const int64_t size = dtype_size(entry.dtype);
    Bytes content(entry.content->bytes.size());
    const Bytes& image = images_.at(entry.storage);
    walk_all(entry, [&](int64_t flat, int64_t position) { std::memcpy(&content[at(flat * size)], &image[at(position * size)], at(size)); });
    return content;
  }

 private:
  void scatter(const CensusEntry& entry, const Bytes& content) {
    const int64_t size = dtype_size(entry.dtype);
    Bytes& image = images_[entry.storage];
    walk_all(entry, [&](int64_t flat, int64_t position) {
      image.resize(std::max(image.size(), at((position + 1) * size)));
      std::memcpy(&image[at(position * size)], &content[at(flat * size)], at(size));
    });
  }
  std::map<int64_t, Bytes> images_;
};

// The layers of the update, by what is expected of them.
struct Layers {
  std::set<std::string, std::less<>> touched, rewritten;  // rewritten: touched, with a post-load step
  std::set<std::string, std::less<>> incomplete;
  std::set<std::string, std::less<>> touched_slots, incomplete_slots;  // paths
  std::map<std::string, std::set<std::string>, std::less<>> from;      // by layer, the checkpoints that it was delivered from
};

// What one of two tied layers is sent is the other one's, which makes tensors of its own from it where it has a post-load step. In module
// order: a tensor is tied to one of an earlier layer.
void add_tied(const Evidence& evidence, size_t rank, Layers& layers) {
  for (const model::LayerSpec& layer : evidence.the_case.model.layers) {
    if (!layer.tied_to || !layers.touched_slots.contains(*layer.tied_to) || !has_post_load(evidence, rank, layer.name)) continue;
    const auto [owner, slot] = model::split_slot_path(*layer.tied_to);
    const std::string mine = layer.name + "." + slot;
    layers.touched.insert(layer.name), layers.rewritten.insert(layer.name), layers.touched_slots.insert(mine);
    if (const auto from = layers.from.find(owner); from != layers.from.end())
      layers.from[layer.name].insert(from->second.begin(), from->second.end());
    if (!layers.incomplete_slots.contains(*layer.tied_to)) continue;
    layers.incomplete.insert(layer.name);
    layers.incomplete_slots.insert(mine);
  }
}

Layers layers_of(const Evidence& evidence, size_t rank, StepRange update) {
  Layers layers;
  for (const PlannedLoad& load : evidence.plan[rank].loads) {
    if (!update.has(load.step) || load.wrong || load.placements.empty() || is_refused(evidence.plan[rank], load)) continue;
    layers.touched_slots.insert(load.layer + "." + load.slot);
    layers.from[load.layer].insert(step_at(*warm_of(evidence), load.step)->plan.checkpoint);
    if (layers.touched.insert(load.layer).second && has_post_load(evidence, rank, load.layer)) layers.rewritten.insert(load.layer);
  }
  for (const RankPlan::Missing& missing : evidence.plan[rank].missing)
    if (update.has(missing.step)) {
      layers.incomplete.insert(missing.layer);
      layers.incomplete_slots.insert(missing.layer + "." + missing.slot);
    }
  add_tied(evidence, rank, layers);
  return layers;
}

// A deferred layer that got nothing may still derive from its neighbours, the layers under the same parent.
bool may_derive(const Evidence& evidence, size_t rank, std::string_view layer, const Layers& layers) {
  if (layers.touched.contains(layer) || !has_post_load(evidence, rank, layer)) return false;
  const std::string_view parent = layer.substr(0, layer.rfind('.') == std::string_view::npos ? 0 : layer.rfind('.') + 1);
  return std::ranges::any_of(layers.touched, [&](const std::string& other) { return other.starts_with(parent); });
}

enum class Fate {
  overlaid,  // the old bytes with the delivered elements over them
  kept,      // the old bytes
  replaced,  // what a cold load of the checkpoint gives
  open,      // nothing is expected
};

// Where a post-load step rewrites a layer that is incomplete, slots that came whole are new, slots that got nothing are old, and
// what is derived or came in part is open.
Fate fate_of(const Evidence& evidence, const CensusEntry& entry, const Layers& layers) {
  if (!layers.rewritten.contains(entry.layer)) return Fate::overlaid;
  if (!layers.incomplete.contains(entry.layer)) return Fate::replaced;
  const bool is_delivered = std::ranges::any_of(evidence.deliveries, [&](const model::Delivery& delivery) {
    return delivery.layer == entry.layer && entry.path.ends_with("." + delivery.slot) &&
           entry.path.size() == delivery.layer.size() + 1 + delivery.slot.size();
  });
  if (!is_delivered) return Fate::open;
  if (!layers.touched_slots.contains(entry.path)) return Fate::kept;
  return layers.incomplete_slots.contains(entry.path) ? Fate::open : Fate::replaced;
}

// What a cold load of the one checkpoint gives that the entry's layer was delivered from; null where several were.
const CensusEntry* loaded_cold(const Evidence& evidence, size_t rank, const CensusEntry& entry, const Layers& layers) {
  const auto from = layers.from.find(entry.layer);
  if (from == layers.from.end() || from->second.size() > 1) return nullptr;
  const Census* cold = cold_census(evidence, *from->second.begin(), rank);
  return cold ? cold->find(entry.path) : nullptr;
}

void apply(const Evidence& evidence, size_t rank, StepRange update, const Census& base, const Layers& layers, Images& images) {
  const Execution& warm = *warm_of(evidence);
  for (const PlannedLoad& load : evidence.plan[rank].loads) {
    if (!update.has(load.step) || load.wrong || layers.rewritten.contains(load.layer) || is_refused(evidence.plan[rank], load)) continue;
    const std::string path = load.layer + "." + load.slot;
    const Step* step = step_at(warm, load.step);
    const Census* cold = step ? cold_census(evidence, step->plan.checkpoint, rank) : nullptr;
    const CensusEntry* target = base.find(path);
    const CensusEntry* source = cold ? cold->find(path) : nullptr;
    if (!target || !source || !has_content(*target) || !source->content || source->shape != target->shape) continue;
    for (const model::Placement& box : load.placements)
      if (fits(box, *target)) images.write(*target, source->content->bytes, box);
  }
}

}  // namespace

Overlay overlay(const Evidence& evidence, size_t rank, const std::vector<RestingState>& states, size_t index) {
  Overlay expected;
  const StepRange update = update_of(*warm_of(evidence), states[index].planned.step);
  const Census& base = *states[index - 1].census;
  Layers layers;
  Images images(base);
  if (meant_to_commit(evidence, rank, update.last)) {  // otherwise nothing of it stays
    layers = layers_of(evidence, rank, update);
    apply(evidence, rank, update, base, layers, images);
  }
  for (const CensusEntry& entry : base.entries) {
    if (!has_content(entry) || may_derive(evidence, rank, entry.layer, layers)) continue;
    switch (fate_of(evidence, entry, layers)) {
      case Fate::overlaid:
        expected.emplace(entry.path, images.read(entry));
        break;
      case Fate::kept:
        expected.emplace(entry.path, entry.content->bytes);
        break;
      case Fate::replaced:
        if (const CensusEntry* whole = loaded_cold(evidence, rank, entry, layers); whole && whole->content)
          expected.emplace(entry.path, whole->content->bytes);
        break;
      case Fate::open:
        break;
    }
  }
  return expected;
}

}  // namespace reloadlab::sim
