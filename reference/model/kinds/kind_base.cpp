#include "reference/model/kinds/kind_base.h"

#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kinds/shards.h"

namespace reloadlab::model {

std::string_view tied_slot(const LayerSpec& spec) {
  if (!spec.tied_to) return {};
  std::string_view path = *spec.tied_to;
  return path.substr(path.rfind('.') + 1);
}

std::vector<SlotSpec> KindBase::slots(const LayerSpec& spec, TensorParallel tp) const {
  std::vector<SlotSpec> slots = own_slots(spec, tp);
  const std::string_view tied = tied_slot(spec);
  if (tied.empty()) return slots;
  for (SlotSpec& slot : slots)
    if (slot.name == tied) slot.alias_of = *spec.tied_to;
  return slots;
}

std::vector<Delivery> KindBase::deliveries(const LayerSpec& spec) const {
  std::vector<Delivery> deliveries = own_deliveries(spec);
  const std::string_view tied = tied_slot(spec);
  if (!tied.empty()) std::erase_if(deliveries, [&](const Delivery& delivery) { return delivery.slot == tied; });
  return deliveries;
}

Status KindBase::check(const LayerSpec& spec, TensorParallel tp) const {
  for (const KeyInfo& key : keys_) {
    if (key.choices.empty()) continue;
    const std::string& text = spec.text(key.name);
    if (("|" + std::string(key.choices) + "|").find("|" + text + "|") == std::string::npos)
      return Status(Code::data, fmt::format("{}: {} is \"{}\", expected one of {}", spec.name, key.name, text, key.choices));
  }
  return check_sizes(spec, tp);
}

Delivery deliver(const LayerSpec& spec, std::string_view slot, Shape shape, std::string_view prefix, std::string_view shard) {
  Delivery delivery{.name = std::string(prefix.empty() ? checkpoint_name(spec.name) : prefix),
                    .shape = std::move(shape),
                    .dtype = spec.dtype,
                    .layer = spec.name};
  delivery.name.append(".").append(slot);
  delivery.slot = slot;
  if (!shard.empty()) delivery.shard = shard;
  return delivery;
}

std::vector<std::string_view> split_names(std::string_view names) {
  std::vector<std::string_view> parts;
  while (!names.empty()) {
    const size_t comma = names.find(',');
    parts.push_back(names.substr(0, comma));
    names = comma == std::string_view::npos ? std::string_view() : names.substr(comma + 1);
  }
  return parts;
}

KeyInfo loader_key() {
  return {.name = "loader",
          .type = KeyInfo::Type::text,
          .fallback = std::string("bound"),
          .about = "how the weight loader is attached: a method bound to its layer, a free function, or none (the default loader)",
          .choices = "bound|free|none"};
}

KeyInfo bias_key(std::string_view about) { return {.name = "bias", .type = KeyInfo::Type::boolean, .fallback = false, .about = about}; }

KeyInfo pad_to_key(std::string_view name, std::string_view about) {
  return {.name = name, .fallback = int64_t{1}, .minimum = 1, .about = about};
}

KeyInfo pad_value_key() {
  return {.name = "pad_value", .type = KeyInfo::Type::number, .fallback = 0.0, .about = "the declared value of padding"};
}

Status must_have_loader(const LayerSpec& spec) {
  if (spec.text("loader") != "none") return {};
  return Status(Code::data, spec.name + ": the default loader (loader: none) can neither cut shards nor leave padding");
}

Status must_divide(const LayerSpec& spec, std::string_view what, int64_t count, int ranks) {
  if (count % ranks == 0) return {};
  return Status(Code::data, fmt::format("{}: {} {} cannot be split over {} ranks", spec.name, count, what, ranks));
}

}  // namespace reloadlab::model
