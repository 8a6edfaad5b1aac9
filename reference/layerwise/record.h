#pragma once
// What is known of a layer's tensors as its constructor made them: for every slot a placeholder on the meta device with shape,
// strides, dtype, tensor class, attributes and loader (LW1). Kept weakly by layer (LW2).
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "reference/layerwise/accounting/write_set.h"
#include "reference/layerwise/declared.h"
#include "reference/layerwise/policy.h"
#include "reference/model/layer.h"

namespace reloadlab::layerwise {

// A storage of the model as constructed, and which of its elements a complete checkpoint writes.
struct RecordedStorage {
  at::Tensor placeholder;      // flat, on meta, keeps the placeholder storage alive
  WriteSet loadable;           // learned from the loaders' writes in the first load
  bool loadable_known = true;  // false: no first load was seen, or one wrote in a way that cannot be accounted for
};

// One handle of the model as constructed. Plain data, so that a record keeps no handle: but lent ones, from the first begin on.
struct RecordedTensor {
  at::Tensor placeholder;
  std::string tensor_class;
  Values attributes;
  model::LoaderPtr loader;
  std::shared_ptr<RecordedStorage> storage;  // records=sealed: the placeholder is a view of it
  bool parameter = true;                     // false: only buffers' slots hold it
  DeclaredByArguments declared;              // boxes=declared: what its loader said so far
  model::ParameterPtr lent;                  // records=lent: what every begin registers again
  model::LayerPtr bound_to;                  // records=lent: whose method its loader is since; what is recorded keeps it alive (L09)

  // A handle with this class, these attributes and this loader. REQUIRES records=sealed.
  model::ParameterPtr fresh() const;
};

struct RecordedSlot {
  std::string name;
  bool parameter = true;
  bool persistent = true;
  std::shared_ptr<RecordedTensor> tensor;  // null: an empty slot; records=lent: or a skipped one
  bool skipped = false;                    // by name or by class
};

// Copies in checkpoint layout by slot (shadow.h).
using Shadow = std::map<std::string, at::Tensor, std::less<>>;

struct LayerRecord {
  std::string path;                 // of the layer
  std::vector<RecordedSlot> slots;  // parameters first, in registration order
  std::weak_ptr<Shadow> shadow;     // the gates on the layer's handles own it
  int64_t read_bytes = 0;           // what the layer's own step takes to read values of quantized layers
  const RecordedSlot* find(std::string_view name) const;
};

// Skipped by class and by name (LW1).
bool skips_layer(const model::Layer& layer);
bool skips_tensor(std::string_view name);

class Registry {
 public:
  std::shared_ptr<LayerRecord> find(const model::LayerPtr& layer) const;  // null: not recorded
  std::shared_ptr<LayerRecord> make(const model::LayerPtr& layer);        // REQUIRES a layer that is not recorded
  // Forgets the layers that have died, and gives what it knew of them.
  std::vector<std::shared_ptr<LayerRecord>> purge();
  size_t size() const;  // layers alive
  void clear() { records_.clear(); }

 private:
  // In the order of std::owner_less, side by side: every prepare asks for all of them, when caches have gone cold.
  std::vector<std::pair<std::weak_ptr<model::Layer>, std::shared_ptr<LayerRecord>>> records_;
};

// Takes layers into the registry. One recorder serves one call of record(), so that what layers share is seen.
class Recorder {
 public:
  explicit Recorder(const LayerwisePolicy& policy) : policy_(policy) {}
  // Adds the slots that the layer's record does not have yet.
  void record(const model::LayerPtr& layer, LayerRecord& record);

 private:
  std::shared_ptr<RecordedTensor> placeholder_of(const model::LayerPtr& layer, const model::Slot& slot, bool parameter);
  std::shared_ptr<RecordedTensor> lent(const model::Parameter& handle, const model::LayerPtr& layer);
  std::shared_ptr<RecordedTensor> sealed(const model::Parameter& handle);
  std::shared_ptr<RecordedStorage> storage_of(const at::Tensor& tensor);

  const LayerwisePolicy& policy_;
  std::unordered_map<const model::Parameter*, std::shared_ptr<RecordedTensor>> handles_;
  std::unordered_map<const c10::StorageImpl*, std::shared_ptr<RecordedStorage>> storages_;
};

}  // namespace reloadlab::layerwise
