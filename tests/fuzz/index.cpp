#include <fmt/format.h>

#include "reference/base/check.h"
#include "sim/checkpoint/safetensors_source.h"
#include "tests/fuzz/readers.h"

namespace reloadlab::tests {
namespace {

// Two bytes of the tensor, behind the header's length and the header.
std::string shard_of(std::string_view tensor) {
  const std::string header = fmt::format(R"({{"{}":{{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}}})", tensor);
  return std::string{static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0} + header + "xy";
}

}  // namespace

// An index beside two shards, a.safetensors with tensor a, and b.safetensors with b.
Status read_index(std::string_view bytes) {
  static const std::string shards[] = {as_file("a.safetensors", shard_of("a")), as_file("b.safetensors", shard_of("b"))};
  const auto source = sim::SafetensorsSource::open(as_file("model.safetensors.index.json", bytes));
  if (!source.ok()) return source.status();
  for (const auto& [name, entry] : source->entries()) RELOADLAB_CHECK((name == "a" || name == "b") && entry.tensor->name == name, name);
  return {};
}

}  // namespace reloadlab::tests
