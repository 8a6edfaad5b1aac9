#pragma once
// What an update keeps while it lasts: which layers are processed together, how far they have come, the loads that wait, the kernel
// tensors that come back.
#include <c10/util/SmallVector.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reference/layerwise/accounting/progress.h"
#include "reference/layerwise/record.h"
#include "reference/layerwise/transfer.h"
#include "reference/model/layer.h"

namespace reloadlab::layerwise {

// One layer of a group, and what it held when it was armed.
struct Member {
  std::weak_ptr<model::Layer> layer;
  std::shared_ptr<LayerRecord> record;
  model::Slots kernel_parameters, kernel_buffers;
  model::ExtraState kernel_extra;
  Shadow shadow;  // of what was loaded in this update, until it takes the old one's place
  bool post_load_done = false;
  const std::string& path() const { return record->path; }
};

struct BufferedLoad {
  size_t member = 0;
  std::string slot;
  at::Tensor loaded;
  model::LoadArgs args;
  PlainCopies copies;        // all that it does; none: nobody knows
  bool again = false;        // onto elements that were there already
  model::ParameterPtr onto;  // failed_load=keep: what it was replayed onto stays with it
};

// Where loads onto a placeholder's storage land.
struct Place {
  const c10::StorageImpl* placeholder;
  at::Tensor kernel;
};

// Bytes of one kernel storage as they were before the group's copy back.
struct SavedTensor {
  at::Tensor kernel;  // everything that the group holds of the storage, as one flat tensor of bytes
  at::Tensor bytes;
};

// Layers that are armed, processed and put back together.
struct Group {
  enum class State {
    idle,       // not armed
    armed,      // its slots hold placeholders
    committed,  // processed in this update
  };
  State state = State::idle;
  bool deferred = false;  // a member's post-load step comes after all other layers'
  bool own_step_ran = false;
  c10::SmallVector<Member, 1> members;
  std::vector<BufferedLoad> loads;
  int64_t buffered_bytes = 0;
  std::unique_ptr<Progress> progress;
  std::vector<SavedTensor> backup;
  std::vector<Place> places;    // while loads land
  bool landed = false;          // loads are in kernel tensors before the group is complete
  bool kernel_written = false;  // a byte of a kernel tensor may have changed

  size_t index_of(const model::Layer& layer) const;  // REQUIRES that it is a member
};

struct Update {
  explicit Update(Gather gather) : transfer(gather) {}

  bool open = true;
  std::deque<std::unique_ptr<Group>> groups;                            // in module order of their first layers
  std::deque<std::pair<std::weak_ptr<model::Layer>, Group*>> by_layer;  // in the order of std::owner_less
  std::optional<bool> torchao_flag;                                     // as it was before begin; none: the model had no such flag
  bool remembers_flag = false;
  std::function<Status(std::string_view)> on_unexpected_before;  // the model's hook, while ours is there
  bool hooked = false;
  Transfer transfer;    // landing=direct
  bool broken = false;  // kernel tensors hold a mixture that nothing can undo
  Group* find(const model::LayerPtr& layer);
};

}  // namespace reloadlab::layerwise
