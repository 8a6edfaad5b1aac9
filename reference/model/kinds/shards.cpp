#include "reference/model/kinds/shards.h"

#include <algorithm>

namespace reloadlab::model {

Piece piece_of(int64_t whole, int64_t padded, TensorParallel tp) {
  const int64_t local = padded / tp.size;
  const int64_t start = std::min(local * tp.rank, whole);
  return {local, start, std::min(local, whole - start)};
}

std::vector<Placement> place(Shape source_start, Shape target_start, Shape extent) {
  if (numel(extent) == 0) return {};
  return {{std::move(source_start), std::move(target_start), std::move(extent)}};
}

std::vector<Placement> place_whole(const Shape& shape) { return place(Shape(shape.size(), 0), Shape(shape.size(), 0), shape); }

std::string_view checkpoint_name(std::string_view path) {
  constexpr std::string_view wrapped = ".base_layer";
  return path.ends_with(wrapped) ? path.substr(0, path.size() - wrapped.size()) : path;
}

std::string sibling(std::string_view path, std::string_view name) {
  path = checkpoint_name(path);
  const size_t dot = path.rfind('.');
  return std::string(dot == std::string_view::npos ? std::string_view() : path.substr(0, dot + 1)).append(name);
}

}  // namespace reloadlab::model
