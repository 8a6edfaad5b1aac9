#pragma once
// Small draws that all others are made of. Through rapidcheck, so that they shrink: numbers towards the least, words towards the first.
#include <rapidcheck.h>

#include "reference/model/kind.h"

namespace reloadlab::sim {

inline int64_t draw_between(int64_t least, int64_t most) { return *rc::gen::inRange<int64_t>(least, most + 1); }
inline bool flip() { return *rc::gen::arbitrary<bool>(); }
inline std::string draw_word(std::vector<std::string> words) { return *rc::gen::elementOf(std::move(words)); }

// A loader that cuts shards or leaves padding cannot be the default one.
inline std::string draw_cutting_loader() { return draw_word({"bound", "free"}); }

inline model::LayerSpec layer(std::string name, std::string kind, Values values) {
  model::LayerSpec spec{.name = std::move(name), .kind = std::move(kind), .values = std::move(values)};
  model::fill_defaults(spec);
  return spec;
}

}  // namespace reloadlab::sim
