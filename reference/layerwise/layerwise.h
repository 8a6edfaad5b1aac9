#pragma once
// Layerwise reload: new weights flow into a running model one layer at a time. Between prepare and finish a layer's tensors are
// placeholders on the meta device; loads are counted on them and buffered. When a layer is complete it is processed: materialized,
// the buffered loads replayed, the post-load step run, the result copied into the kernel tensors, whose addresses never change.
// Rules LW1-LW8. The policy (policy.h) says what happens where implementations differ; there is one implementation.
//
// Under the seed profile a call does what the rules say and leaves what they leave. Everything below is what the hardened profile
// promises on top.
//
// Calls.        record, [first load], first_load_done, then any number of updates: prepare, loads, finish or abort. Anything else is
//               Code::misuse and changes nothing. Loads arrive through the loaders of the handles that the model holds at that time.
// Load calls.   One that returns an error has changed nothing and may be sent again. The exception is a failure between two copies
//               back under abort=unusable: the model is then unusable(), and the update can only be abandoned.
// finish.       Groups that received loads and are not processed yet are processed now: those that are incomplete and deferred ones
//               (attention). A finish that fails abandons the update as abort() does, and returns why. It fails when an incomplete
//               layer cannot keep the elements that did not come (unloaded=preserve), when missing=reject and something is missing,
//               and when something below it fails.
// abort.        Puts the old weights back, under abort=backup bit for bit whatever was committed; ok when no update is open. Under
//               abort=unusable a model of which layers were committed becomes unusable() until updates that succeed have brought all
//               of those layers whole; nothing of the abandoned update is kept as an old value.
// Loadable.     Which elements a complete checkpoint writes is learned in the first load, from the loaders' writes (record comes
//               before it). What no first load wrote is padding or constant; it never delays completion. Where no first load was
//               seen, every element of every parameter is waited for, and buffers are not.
// Coverage.     Missing is reported at finish, one event a tensor, with the number of its loadable elements that did not come. A load
//               onto elements that are already there is excess; it is kept and the last one wins until its group is processed. After
//               that it is excess too, and dropped, unless it brings elements that never came: then it is refused.
//
// Refused.      Loaders that read what their destination holds, or exchange its storage; post-load steps that leave other names, shapes
//               or element types than the kernel tensors have (README.md).
// Sleep.        Between sleep and wake an update is misuse. Where contents are lost, the host keeps what no checkpoint brings, and the
//               model is unusable() until an update has brought everything else whole (sleep.h).
// Settings.     Post-load steps find the default element type that the process had when the model was recorded.
// Lazy.         A parameter without a shape is left alone, also once a forward has given it one.
//
// Groups.       Layers whose tensors share storage (ties, views) are processed together. Every handle has one placeholder, and views of
//               one storage are views of one placeholder storage, in which write sets are kept.
//
// Landing.      A layer without a post-load step, whose loaders do nothing but copy from what they are given, needs no materialized tensors
//               (landing.h). Under landing=whole its loads are copied into the kernel tensors when it is complete. Under landing=direct
//               they are as they come: an update that does not reach its end then leaves a layer that was touched as abort says,
//               whether it was complete or not, and a copy that fails breaks the update as one back does. On an accelerator small
//               copies are gathered until the layer is complete, and a loaded tensor must keep its bytes as long as a buffered one.
//               Large ones go over streams beside the caller's (lanes.h), which waits for them in finish and abort: what lands directly
//               is in order on the caller's stream then, not when its layer is complete.
// Boxes.        Under boxes=declared a loader that says which boxes it copies is asked once for each parameter, shard and expert, and then
//               not called (declared.h). What it says is counted as what it would have written.
//
// Memory, beyond what was there before prepare. All of it is gone when finish or abort returns.
//   from a load call to the end of its group's processing   the loaded tensor: by reference, or a copy of our own if the transport
//                                                           reuses its buffers; not one of which this rank takes nothing
//   while a group is processed, all at once                 a copy of its kernel tensors (abort=backup; taken first), its materialized
//                                                           tensors (one storage for what shares one), what its post-load steps make
//   from the end of processing to the end of the update     the copy of the kernel tensors (abort=backup), and a new shadow
// Under shadow=keep there is, from the first load on, a copy in checkpoint layout of every tensor whose post-load step does more than
// permute; while a group is processed there is a second one (shadow.h).
// Copying a matrix that lies column by column takes what ATen takes for it (reference/model/transpose_tile.h).
// A group that lands takes no more than the copy of its kernel tensors (abort=backup), under landing=direct from its first load on.
// Materialized tensors and post-load results are freed before the next load call is looked at.
#include <memory>
#include <optional>

#include "reference/base/scalar.h"
#include "reference/base/status.h"
#include "reference/layerwise/policy.h"
#include "reference/model/layer.h"
#include "reference/model/observer.h"

namespace reloadlab::layerwise {

struct LayerwiseOptions {
  model::Observer* observer = nullptr;       // outlives the instance
  bool transport_reuses_buffers = false;     // a loaded tensor's bytes may change after its load call has returned
  std::optional<int64_t> extra_bytes_limit;  // a load that would need more is refused
};

struct Core;

// One instance serves the model of one rank, on that rank's thread. Model and instance may die in either order, also in the middle
// of an update.
class LayerwiseReload {
 public:
  LayerwiseReload(const LayerwisePolicy& policy, const LayerwiseOptions& options);
  ~LayerwiseReload();
  LayerwiseReload(const LayerwiseReload&) = delete;
  LayerwiseReload& operator=(const LayerwiseReload&) = delete;

  Status record(model::Model& model);           // once, after construction
  Status first_load_done(model::Model& model);  // before the first post-load processing; loads from now on need a prepare
  Status prepare(model::Model& model);
  // `dtype` is the model's; deferred layers' steps take it from their tensors.
  Status finish(model::Model& model, DType dtype);
  Status abort(model::Model& model);
  // The model's memory is about to be unmapped; it is mapped again. Buffers come back by themselves.
  Status sleep(model::Model& model, bool keeps_contents);
  Status wake(model::Model& model);
  bool unusable() const;
  // Layers that the registry knows and that are alive.
  size_t registered_layers() const;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace reloadlab::layerwise
