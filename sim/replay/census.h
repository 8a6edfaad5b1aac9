#pragma once
// Takes the census of a model: every name that a layer holds, with its identity, place, layout and content.
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "reference/model/layer.h"
#include "reference/model/process_tables.h"
#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

// Keeps equal contents once. Shared by all executions of a case.
class BlobStore {
 public:
  // Row-major and dense, whatever the strides; of a device as its current stream sees it. REQUIRES that it has bytes.
  BlobPtr keep(const at::Tensor& tensor);

 private:
  std::map<std::array<uint64_t, 2>, BlobPtr> blobs_;
};

// One per rank and execution: serial numbers of handles count first sightings, so they are the same in every run.
class CensusTaker {
 public:
  explicit CensusTaker(BlobStore& blobs) : blobs_(blobs) {}
  // Without `bytes` no content is looked at: where the world has none, or where that would make the host wait for its device.
  Census take(const model::Model& model, const model::ProcessTables& tables, int step, bool bytes);

 private:
  void add_slots(const model::Layer& layer, const model::Slots& slots, bool parameters, Census& census);
  void add_extra(const model::Layer& layer, Census& census);
  void add_tables(const model::ProcessTables& tables, Census& census);
  void add_derived(const model::Layer& layer, Census& census);
  void describe(const at::Tensor& tensor, CensusEntry& entry);
  int64_t serial_of(const model::ParameterPtr& handle);

  BlobStore& blobs_;
  bool bytes_ = true;  // of the census that is being taken
  struct Seen {
    std::weak_ptr<model::Parameter> handle;
    int64_t serial;
  };
  std::unordered_map<const model::Parameter*, Seen> seen_;  // looked up only, never walked
  int64_t next_serial_ = 0;
};

// Neither sparse nor nested nor quantized by Torch: shape, strides and a place say all of it.
bool has_plain_memory(const at::Tensor& tensor);
// Shape, strides, offset, element type and whether it is on meta. An element type that laws have no name for is bytes to them, in one more
// dimension, and its name goes to the tensor's class; so does what has no plain memory.
void describe_layout(const at::Tensor& tensor, CensusEntry& entry);
// Its contents as they are described. REQUIRES plain memory.
at::Tensor nameable(const at::Tensor& tensor);
std::string describe_loader(const model::LoaderPtr& loader);
std::string describe_values(const Values& values);

}  // namespace reloadlab::sim
