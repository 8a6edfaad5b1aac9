#include "tests/fuzz/readers.h"

#include <algorithm>

#include "reference/base/check.h"

namespace reloadlab::tests {

std::span<const Reader> readers() {
  static constexpr Reader table[] = {{"scenario", read_scenario}, {"safetensors", read_safetensors},   {"index", read_index},
                                     {"token", read_token},       {"expectations", read_expectations}, {"config", read_config}};
  return table;
}

const Reader& find_reader(std::string_view name) {
  const auto found = std::ranges::find(readers(), name, &Reader::name);
  RELOADLAB_CHECK(found != readers().end(), std::string(name));
  return *found;
}

}  // namespace reloadlab::tests
