#pragma once
// Where the names of a source go in a model: a name map held against the deliveries that the model's layers take. Whoever opens a
// checkpoint and whoever imports one ask here, so both place every name alike. No LibTorch here.
#include <map>
#include <string>
#include <vector>

#include "reference/model/spec.h"
#include "sim/checkpoint/names.h"
#include "sim/checkpoint/safetensors_source.h"

namespace reloadlab::sim {

struct Placing {
  struct Place {
    model::Delivery delivery;
    std::string stored;  // the name that goes there; empty: there is none
  };
  struct Second {
    std::string stored, first, delivery;  // two names that go to one delivery
  };
  std::vector<Place> places;            // every delivery of the model, in model order
  std::vector<std::string> unexpected;  // names that no delivery takes, in the order given
  std::vector<Second> seconds;
  // Names of tensors that the model ties, which is no news, and the place of what they are tied to.
  struct Tied {
    std::string stored;
    size_t place;
  };
  std::vector<Tied> tied;
};

// Names that the map ignores are left out, and so are those of tensors that the model ties and of blocks that it declares to lack.
// Code::data when a layer's kind does not exist.
Result<Placing> place_names(const model::ModelSpec& model, const NameMap& map, const std::vector<std::string>& names);

// What a map must say to reach the delivery. Without tables names are deliveries' own.
Target target_of(const model::Delivery& delivery, const NameMap& map);
// Whether a stored tensor has the delivery's dtype and shape; [] is good for [1].
Status check_fit(const SafetensorsSource::Entry& entry, const model::Delivery& delivery);
std::string described(const model::Delivery& delivery);  // "bf16 [4, 8]"

}  // namespace reloadlab::sim
