#include "reference/model/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reference/base/check.h"

namespace reloadlab::model {
namespace {

template <class T>
const T& spec_value_of(const LayerSpec& spec, std::string_view key) {
  auto found = spec.values.find(key);
  RELOADLAB_CHECK(found != spec.values.end(), fmt::format("layer {} ({}) has no key {}", spec.name, spec.kind, key));
  const T* value = std::get_if<T>(&found->second);
  RELOADLAB_CHECK(value, fmt::format("layer {} ({}): key {} has another type", spec.name, spec.kind, key));
  return *value;
}

}  // namespace

bool LayerSpec::flag(std::string_view key) const { return spec_value_of<bool>(*this, key); }
int64_t LayerSpec::integer(std::string_view key) const { return spec_value_of<int64_t>(*this, key); }
double LayerSpec::number(std::string_view key) const { return spec_value_of<double>(*this, key); }
const std::string& LayerSpec::text(std::string_view key) const { return spec_value_of<std::string>(*this, key); }
const std::vector<int64_t>& LayerSpec::integers(std::string_view key) const { return spec_value_of<std::vector<int64_t>>(*this, key); }

const SlotSpec* find_slot(const std::vector<SlotSpec>& slots, std::string_view name) {
  const auto found = std::ranges::find(slots, name, &SlotSpec::name);
  return found == slots.end() ? nullptr : &*found;
}

int64_t storage_bytes(const SlotSpec& slot) {
  const bool empty = slot.kind == SlotSpec::Kind::empty_parameter || slot.kind == SlotSpec::Kind::empty_buffer;
  if (slot.alias_of || empty || numel(slot.shape) == 0) return 0;
  if (slot.strides.empty()) return numel(slot.shape) * dtype_size(slot.dtype);
  int64_t last = 0;
  for (size_t dim = 0; dim < slot.shape.size(); ++dim) last += (slot.shape[dim] - 1) * slot.strides[dim];
  return (last + 1) * dtype_size(slot.dtype);
}

double undo(SlotSpec::Transform transform, double value) {
  switch (transform) {
    case SlotSpec::Transform::none:
      return value;
    case SlotSpec::Transform::negate:
      return -value;
    case SlotSpec::Transform::negative_exp:
      return std::log(-value);
  }
  RELOADLAB_CHECK(false, "unknown transform");
}

std::pair<std::string, std::string> split_slot_path(std::string_view path) {
  size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return {std::string(), std::string(path)};
  return {std::string(path.substr(0, dot)), std::string(path.substr(dot + 1))};
}

std::string resolve_alias(const ModelSpec& model, const LayerSpec& layer, std::string_view alias) {
  const size_t dot = alias.rfind('.');
  std::string below = fmt::format("{}.{}", layer.name, alias);
  if (dot == std::string_view::npos) return below;
  const std::string child = fmt::format("{}.{}", layer.name, alias.substr(0, dot));
  const bool has_child = std::ranges::any_of(model.layers, [&](const LayerSpec& other) { return other.name == child; });
  return has_child ? below : std::string(alias);
}

}  // namespace reloadlab::model
