#pragma once
// Key-value stores of the modelled world, as ranks use them to find each other. Every call is a visible operation: who comes first is
// a choice. A get() or wait() of a key that nobody has set parks its host, and the picture says for which key; time-outs are of
// virtual time.
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <unordered_map>
#include <vector>

#include "sim/world/modelled/action.h"

namespace reloadlab::sim::modelled {

struct StoreState {
  std::unordered_map<std::string, std::vector<uint8_t>> values;
  std::unordered_map<std::string, PointPtr> present;  // done while the key has a value
};

// Stores of one name are one store. REQUIRES a machine.
c10::intrusive_ptr<c10d::Store> make_store(const std::string& name);

}  // namespace reloadlab::sim::modelled
