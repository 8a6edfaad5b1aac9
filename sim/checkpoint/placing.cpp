#include "sim/checkpoint/placing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "reference/model/kind.h"
#include "sim/checkpoint/json_tree.h"

namespace reloadlab::sim {
namespace {

int64_t value_of(const model::ModelSpec& model, std::string_view key) {
  const auto found = model.values.find(key);
  return found == model.values.end() ? 0 : std::get<int64_t>(found->second);
}

class LeftOut {
 public:
  LeftOut(const model::ModelSpec& model, const NameMap& map)
      : map_(map), blocks_(value_of(model, "blocks")), further_(value_of(model, "next_token_blocks")) {}

  bool operator()(std::string_view stored) const {
    if (map_.ignores(stored)) return true;
    const auto block = map_.block(stored);
    return block && *block >= blocks_ && *block - blocks_ < further_;
  }

 private:
  const NameMap& map_;
  int64_t blocks_, further_;
};

// What the layer of that name is tied to, where the map lets a file have a tensor for it all the same.
const std::string* tied_to(const model::ModelSpec& model, const NameMap& map, std::string_view stored) {
  const std::string_view name = map.without_prefix(stored);
  if (std::ranges::find(map.tied, name) == map.tied.end()) return nullptr;
  const auto layer = std::ranges::find(model.layers, model::split_slot_path(name).first, &model::LayerSpec::name);
  return layer != model.layers.end() && layer->tied_to ? &*layer->tied_to : nullptr;
}

}  // namespace

Target target_of(const model::Delivery& delivery, const NameMap& map) {
  if (map.id.empty()) return {delivery.name};
  return {delivery.layer + "." + delivery.slot, delivery.shard, delivery.expert};
}

std::string described(const model::Delivery& delivery) {
  return fmt::format("{} [{}]", dtype_name(delivery.dtype), fmt::join(delivery.shape, ", "));
}

// What is one number may be stored without dimensions.
bool same_shape(const Shape& stored, const Shape& wanted) { return stored == wanted || (stored.empty() && wanted == Shape{1}); }

Status check_fit(const SafetensorsSource::Entry& entry, const model::Delivery& delivery) {
  const StoredTensor& tensor = *entry.tensor;
  if (tensor.dtype == delivery.dtype && same_shape(tensor.shape, delivery.shape)) return {};
  const std::string_view type = tensor.dtype ? dtype_name(*tensor.dtype) : std::string_view(tensor.type);
  return Origin{entry.file->path()}.error(tensor.begin, fmt::format("tensor {} is {} [{}], expected {} for {}", shown(tensor.name), type,
                                                                    fmt::join(tensor.shape, ", "), described(delivery), delivery.name));
}

Result<Placing> place_names(const model::ModelSpec& model, const NameMap& map, const std::vector<std::string>& names) {
  Placing placing;
  std::map<Target, size_t> wanted;
  for (const model::LayerSpec& layer : model.layers) {
    const model::LayerKind* kind = model::find_layer_kind(layer.kind);
    if (kind == nullptr) return Status(Code::data, fmt::format("{}: no layer kind is called \"{}\"", layer.name, layer.kind));
    for (model::Delivery& delivery : kind->deliveries(layer)) {
      wanted.emplace(target_of(delivery, map), placing.places.size());
      placing.places.push_back({std::move(delivery), {}});
    }
  }
  const LeftOut left_out(model, map);
  for (const std::string& name : names) {
    if (left_out(name)) continue;
    if (const std::string* path = tied_to(model, map, name)) {
      const auto place =
          std::ranges::find(placing.places, *path, [](const Placing::Place& p) { return p.delivery.layer + "." + p.delivery.slot; });
      if (place != placing.places.end()) placing.tied.push_back({name, static_cast<size_t>(place - placing.places.begin())});
      continue;
    }
    const std::optional<Target> target = map.target(name);
    const auto found = target ? wanted.find(*target) : wanted.end();
    if (found == wanted.end()) {
      placing.unexpected.push_back(name);
    } else if (Placing::Place& place = placing.places[found->second]; place.stored.empty()) {
      place.stored = name;
    } else {
      placing.seconds.push_back({name, place.stored, place.delivery.name});
    }
  }
  return placing;
}

}  // namespace reloadlab::sim
