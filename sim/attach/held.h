#pragma once
// What a model holds at a moment, as somebody says who has walked through it, and where it lies.
#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

// One name: "blocks.0.qkv.weight", "blocks.0.qkv.extra:helper.scale", "process:engine._cache[0]"; once each.
struct Held {
  CensusEntry entry;  // without what the tensor says for itself: place, shape, dtype, content
  at::Tensor tensor;  // undefined: an empty slot, or a number of the host
};

struct Moment {
  std::vector<Held> held;  // in the model's order
  std::string flags;       // what else must be as it was: "training=0"
};

// Tells storages apart: the serial numbers of those seen. One that was freed has lost its number, also if another one lies at its address
// by now: whoever captured that reads it by luck.
class Places {
 public:
  int64_t serial_of(const at::Tensor& tensor);

 private:
  struct Seen {
    c10::weak_intrusive_ptr<c10::StorageImpl> storage;
    const void* data;
    int64_t serial;
  };
  std::map<const c10::StorageImpl*, Seen> seen_;  // looked up only, never walked
  int64_t next_ = 0;
};

}  // namespace reloadlab::sim
