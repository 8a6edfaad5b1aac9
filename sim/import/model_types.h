#pragma once
// Which architecture a `model_type` is, and which of its keys a config.json says under which name.
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "reference/base/scalar.h"

namespace reloadlab::sim {

struct ConfigKey {
  std::string_view config;           // "num_key_value_heads"
  std::string_view key;              // "kv_heads"
  std::optional<Value> absent = {};  // what a file means that does not say it, or says null; none: it must say it
};

// What the architecture cannot be told, and must therefore be left at what it always is.
struct Refusal {
  std::string_view config;
  std::string_view unless;    // the one value that may stand there
  std::string_view expected;  // for the message
};

struct ModelType {
  std::string_view id;
  std::string_view architecture;
  std::vector<std::span<const ConfigKey>> keys;
  std::vector<std::pair<std::string_view, Value>> fixed = {};  // what every model of the type has
  std::span<const Refusal> refusals = {};
};

std::span<const ModelType> model_types();

}  // namespace reloadlab::sim
