#pragma once
// Key-value stores of the modelled world, as ranks use them to find each other. A get() or wait() of a key that nobody has set parks its
// host, and the picture says for which key; time-outs are of virtual time.
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "reference/model/c10d_names.h"
#include "sim/world/modelled/action.h"

namespace reloadlab::sim::modelled {

struct StoreState {
  std::unordered_map<std::string, std::vector<uint8_t>> values;
  std::unordered_map<std::string, PointPtr> present;  // done while the key has a value
};

// Whether calls are visible operations, so that who comes first is a choice of the schedule. Those of a quiet store are part of whatever
// turn they come in: only who waits for a key that is not there is kept from going on. An exploration does not try their orders.
enum class Stores { visible, quiet };

// Stores of one name are one store. REQUIRES a machine.
c10::intrusive_ptr<c10d::Store> make_store(const std::string& name, Stores calls = Stores::visible);

}  // namespace reloadlab::sim::modelled
