#include "reference/model/spec.h"

#include <fmt/format.h>

#include "reference/base/check.h"

namespace reloadlab::model {
namespace {

template <class T>
const T& value_of(const LayerSpec& spec, std::string_view key) {
  auto found = spec.values.find(key);
  RELOADLAB_CHECK(found != spec.values.end(), fmt::format("layer {} ({}) has no key {}", spec.name, spec.kind, key));
  const T* value = std::get_if<T>(&found->second);
  RELOADLAB_CHECK(value, fmt::format("layer {} ({}): key {} has another type", spec.name, spec.kind, key));
  return *value;
}

}  // namespace

bool LayerSpec::flag(std::string_view key) const { return value_of<bool>(*this, key); }
int64_t LayerSpec::integer(std::string_view key) const { return value_of<int64_t>(*this, key); }
double LayerSpec::number(std::string_view key) const { return value_of<double>(*this, key); }
const std::string& LayerSpec::text(std::string_view key) const { return value_of<std::string>(*this, key); }
const std::vector<int64_t>& LayerSpec::integers(std::string_view key) const { return value_of<std::vector<int64_t>>(*this, key); }

}  // namespace reloadlab::model
