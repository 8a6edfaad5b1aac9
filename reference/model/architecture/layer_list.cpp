#include "reference/model/architecture/layer_list.h"

#include <fmt/format.h>

#include "reference/model/kind.h"

namespace reloadlab::model {
namespace {

template <class T>
const T& value_of(const ModelSpec& spec, std::string_view key) {
  return std::get<T>(spec.values.find(key)->second);
}

}  // namespace

int64_t LayerList::integer(std::string_view key) const { return value_of<int64_t>(spec_, key); }
double LayerList::number(std::string_view key) const { return value_of<double>(spec_, key); }
bool LayerList::flag(std::string_view key) const { return value_of<bool>(spec_, key); }
const std::vector<int64_t>& LayerList::integers(std::string_view key) const { return value_of<std::vector<int64_t>>(spec_, key); }
const std::string& LayerList::text(std::string_view key) const { return value_of<std::string>(spec_, key); }

void LayerList::add(std::string name, std::string kind, Values values) {
  LayerSpec layer{.name = std::move(name), .kind = std::move(kind), .dtype = spec_.dtype, .values = std::move(values)};
  fill_defaults(layer);
  spec_.layers.push_back(std::move(layer));
}

void LayerList::add_quantized(std::string name, std::string kind, Values values) {
  add(std::move(name), std::move(kind), std::move(values));
  spec_.layers.back().quant = text("quant");
}

void LayerList::set_last_dtype(DType dtype) { spec_.layers.back().dtype = dtype; }

void LayerList::set_last_quant(std::string quant) { spec_.layers.back().quant = std::move(quant); }

void LayerList::tie_last(std::string slot) { spec_.layers.back().tied_to = std::move(slot); }

int64_t integer_of(const ModelSpec& spec, std::string_view key) { return value_of<int64_t>(spec, key); }

Status heads_divide(const ModelSpec& spec) {
  const int64_t hidden = integer_of(spec, "hidden"), heads = integer_of(spec, "heads");
  return hidden % heads == 0 ? Status() : Status(Code::data, fmt::format("hidden {} is no multiple of {} heads", hidden, heads));
}

}  // namespace reloadlab::model
