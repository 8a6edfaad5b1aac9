#include "sim/scenario/bind_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "reference/model/kind.h"
#include "sim/scenario/ranges.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

class ModelBinder {
 public:
  ModelBinder(const Node& node, Diagnostics& diagnostics) : node_(node), model_(node, "model"), diagnostics_(diagnostics) {}

  BoundModel bind() {
    const size_t errors_before = diagnostics_.count();
    bound_.spec.architecture = model_.text("architecture");
    bound_.spec.dtype = *dtype_from_name(model_.text("dtype"));
    for (const std::string& flag : model_.texts("flags")) bound_.spec.flags[flag] = true;
    if (bound_.spec.architecture == "layers") {
      add_layers();
    } else {
      expand();
    }
    if (diagnostics_.count() == errors_before) check_layers_alone();
    if (diagnostics_.count() == errors_before) check_ties();
    if (diagnostics_.count() == errors_before) name_deliveries(errors_before);
    return std::move(bound_);
  }

 private:
  void expand() {
    for (const model::KeyInfo& info : model::find_architecture(bound_.spec.architecture)->keys)
      bound_.spec.values[std::string(info.name)] = model_.value(info.name);
    const Status status = model::expand_architecture(bound_.spec);
    if (!status.ok()) diagnostics_.error(node_.at, status.message());
    if (bound_.spec.layers.size() > static_cast<size_t>(limits::layers))
      diagnostics_.error(node_.at, fmt::format("{} layers, expected at most {}", bound_.spec.layers.size(), limits::layers));
    bound_.positions.assign(bound_.spec.layers.size(), node_.at);
  }

  void add_layers() {
    const Node* layers = model_.node("layers");
    if (!layers || layers->items.empty()) {
      diagnostics_.error(layers ? layers->at : node_.at, "a model without layers, expected at least one");
      return;
    }
    for (const NodePtr& entry : layers->items) add_entry(*entry);
  }

  void add_entry(const Node& entry) {
    const Reader layer(entry, "layer");
    const auto names = expand_ranges(layer.text("name"), static_cast<size_t>(limits::layers));
    if (!names || bound_.spec.layers.size() + names->size() > static_cast<size_t>(limits::layers)) {
      diagnostics_.error(layer.at("name"), fmt::format("name: {}, expected ranges as {{0..3}} and at most {} layers in a model",
                                                       layer.text("name"), limits::layers));
      return;
    }
    for (const Expanded& name : *names) add_layer(layer, name, entry.at);
  }

  void add_layer(const Reader& layer, const Expanded& name, Position at) {
    model::LayerSpec spec{.name = name.name, .kind = layer.text("kind")};
    spec.dtype = layer.has("dtype") ? *dtype_from_name(layer.text("dtype")) : bound_.spec.dtype;
    spec.quant = layer.text("quant");
    if (layer.has("tied_to")) spec.tied_to = follow(layer.text("tied_to"), name.bindings);
    for (const model::KeyInfo& info : model::find_layer_kind(spec.kind)->keys())
      spec.values[std::string(info.name)] = value_of(layer, info, name);
    if (!first_.try_emplace(spec.name, at).second)
      diagnostics_.error(
          at, fmt::format("layer {} a second time, expected each name once (first on line {})", spec.name, first_[spec.name].line));
    bound_.spec.layers.push_back(std::move(spec));
    bound_.positions.push_back(at);
  }

  Value value_of(const Reader& layer, const model::KeyInfo& info, const Expanded& name) {
    if (layer.row(info.name).inherited && !layer.has(info.name)) {
      if (model_.has(info.name)) return model_.integer(info.name);
      if (info.required)
        diagnostics_.error(layer.at(info.name),
                           fmt::format("layer without {}, expected {} here or in model", info.name, expected(layer.row(info.name))));
      return info.fallback;
    }
    Value value = layer.value(info.name);
    if (auto* word = std::get_if<std::string>(&value)) *word = follow(*word, name.bindings);
    return value;
  }

  // Sizes that are wrong whatever the number of ranks: slots() may only be asked of a layer that passes.
  void check_layers_alone() {
    for (size_t i = 0; i < bound_.spec.layers.size(); ++i) {
      const model::LayerSpec& spec = bound_.spec.layers[i];
      if (Status status = model::find_layer_kind(spec.kind)->check(spec, {}); !status.ok())
        diagnostics_.error(bound_.positions[i], status.message());
    }
  }

  // Ties, so that each wrong one is reported; what else layers may say about one another is check_model()'s.
  void check_ties() {
    std::set<std::string> earlier;
    for (size_t i = 0; i < bound_.spec.layers.size(); ++i) {
      const model::LayerSpec& spec = bound_.spec.layers[i];
      if (spec.tied_to && !earlier.contains(*spec.tied_to))
        diagnostics_.error(bound_.positions[i], fmt::format("tied_to: {}, expected a tensor of an earlier layer", *spec.tied_to),
                           diagnostics_.suggest(*spec.tied_to, earlier));
      for (const model::SlotSpec& slot : model::find_layer_kind(spec.kind)->slots(spec, {})) earlier.insert(spec.name + "." + slot.name);
    }
  }

  void name_deliveries(size_t errors_before) {
    std::vector<model::Delivery> deliveries;
    std::map<std::string, std::string> owner;
    for (size_t i = 0; i < bound_.spec.layers.size(); ++i) {
      const model::LayerSpec& spec = bound_.spec.layers[i];
      for (model::Delivery& delivery : model::find_layer_kind(spec.kind)->deliveries(spec)) {
        auto [first, fresh] = owner.try_emplace(delivery.name, spec.name);
        if (!fresh)
          diagnostics_.error(bound_.positions[i],
                             fmt::format("layer {} takes {} as layer {} does, expected each delivered name in one layer", spec.name,
                                         delivery.name, first->second));
        deliveries.push_back(std::move(delivery));
      }
    }
    if (diagnostics_.count() == errors_before) bound_.names = std::make_shared<DeliveryNames>(std::move(deliveries));
  }

  const Node& node_;
  Reader model_;
  Diagnostics& diagnostics_;
  BoundModel bound_;
  std::map<std::string, Position> first_;
};

// Elements of a shape, or more than any limit when they cannot be counted.
int64_t elements(const Shape& shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    if (__builtin_mul_overflow(count, size, &count) || count > limits::model_elements) return limits::model_elements + 1;
  return count;
}

// check_model() begins its message with the layer that it is about.
Position place_of(const BoundModel& bound, const std::string& message, Position otherwise) {
  for (size_t i = 0; i < bound.spec.layers.size(); ++i) {
    const std::string& name = bound.spec.layers[i].name;
    if (message.starts_with(name) && (message[name.size()] == ':' || message[name.size()] == '.')) return bound.positions[i];
  }
  return otherwise;
}

// Elements of all slots on one rank, saturating.
int64_t elements_of(const model::ModelSpec& spec, model::TensorParallel tp) {
  int64_t total = 0;
  for (const model::LayerSpec& layer : spec.layers)
    for (const model::SlotSpec& slot : model::find_layer_kind(layer.kind)->slots(layer, tp))
      total = std::min(total + elements(slot.shape), limits::model_elements + 1);
  return total;
}

}  // namespace

BoundModel bind_model(const Node& node, Diagnostics& diagnostics) { return ModelBinder(node, diagnostics).bind(); }

void check_split(const BoundModel& bound, model::TensorParallel tp, Position model_at, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.count();
  for (size_t i = 0; i < bound.spec.layers.size(); ++i) {
    const model::LayerSpec& spec = bound.spec.layers[i];
    if (Status status = model::find_layer_kind(spec.kind)->check(spec, tp); !status.ok())
      diagnostics.error(bound.positions[i], status.message());
  }
  if (diagnostics.count() != errors_before) return;
  if (elements_of(bound.spec, tp) > limits::model_elements) {
    diagnostics.error(model_at, fmt::format("more than {} elements on one rank", limits::model_elements));
  } else if (Status status = model::check_model(bound.spec, tp); !status.ok()) {
    diagnostics.error(place_of(bound, status.message(), model_at), status.message());
  }
}

}  // namespace reloadlab::sim
