#pragma once
// Where weights come from. A checkpoint knows the names, dtypes and shapes of its tensors before any byte is read, and makes each
// tensor on demand, so that a source's lifetime is the transport's and not the checkpoint's.
#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "reference/base/status.h"
#include "reference/model/spec.h"
#include "sim/checkpoint/digits.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim {

class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  // A fresh, dense CPU tensor with the delivery's content; shape and dtype are the delivery's. Thread-compatible.
  virtual Result<at::Tensor> read(const model::Delivery& delivery) const = 0;
  // Names in the source that no delivery takes, after the map's ignore list.
  virtual std::vector<std::string> unexpected() const { return {}; }
};

// Values are a hash of (seed, delivery name, element index), folded into the dtype: distinct in every declared sub-block between any
// two shards, layers and checkpoints, finite, never zero and never a poison pattern. Deliveries that repeat another hold its values.
std::unique_ptr<Checkpoint> synthetic_checkpoint(uint64_t seed);

// Digit plane `plane` of each element's index within its delivery plus the delivery's first global index plus one, in base
// digit_base(dtype): what provenance runs load. `deliveries` fixes the global numbering. How to read it back: digits.h.
std::unique_ptr<Checkpoint> digit_checkpoint(const std::vector<model::Delivery>& deliveries, int plane);

// A safetensors file, or a folder with model.safetensors or model.safetensors.index.json, through a name map.
Result<std::unique_ptr<Checkpoint>> safetensors_checkpoint(const std::string& path, const std::string& map, const model::ModelSpec& model);

// Every tensor of `base` changed in every element, by amounts drawn from `seed`; shapes and dtypes as they are.
std::unique_ptr<Checkpoint> perturbed_checkpoint(std::shared_ptr<const Checkpoint> base, uint64_t seed);

// `base`, of which tensors of at most `bytes_each` are made once and copied afterwards: a case reads its checkpoints many times.
std::shared_ptr<const Checkpoint> remembered_checkpoint(std::shared_ptr<const Checkpoint> base, size_t bytes_each = size_t{1} << 16);

// Each delivery from the checkpoint that stands for its name. REQUIRES one for every delivery that is read.
std::shared_ptr<const Checkpoint> mixed_checkpoint(std::map<std::string, std::shared_ptr<const Checkpoint>> parts);

// The case's checkpoint of that name. Code::data when a file is missing, malformed, or does not fit the model.
Result<std::shared_ptr<const Checkpoint>> open_checkpoint(const Case& the_case, const std::string& name);

}  // namespace reloadlab::sim
