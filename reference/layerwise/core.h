#pragma once
// What an instance and the loaders that it left in a model share. It owns neither layers nor handles.
#include <ATen/core/LegacyTypeDispatch.h>

#include <memory>
#include <set>
#include <string_view>

#include "reference/layerwise/layerwise.h"
#include "reference/layerwise/record.h"
#include "reference/layerwise/update.h"
#include "reference/model/device.h"

namespace reloadlab::layerwise {

// What the host keeps of storages whose contents a sleep loses. The model's hook owns it meanwhile, and it dies with the model.
struct Kept {
  struct Storage {
    c10::weak_intrusive_ptr<c10::StorageImpl> storage;
    at::Tensor bytes;
  };
  std::vector<Storage> storages;
  std::function<Status(std::string_view)> on_unexpected_before;
};

struct Core : std::enable_shared_from_this<Core> {
  Core(const LayerwisePolicy& the_policy, const LayerwiseOptions& the_options) : policy(the_policy), options(the_options) {}

  LayerwisePolicy policy;
  LayerwiseOptions options;
  Registry registry;
  bool recorded = false;
  DType default_dtype = DType::f32;  // of the process, when the model was recorded
  bool first_load = true;            // loads are the first ones: they go straight through and are learned from
  bool first_load_seen = false;
  bool closed = false;  // the instance is gone
  std::weak_ptr<Update> update;
  std::shared_ptr<Update> kept_update;  // lifetime=registry
  WriteTracker tracker{WriteTracker::Unaccountable::refuse};
  WriteTracker learner{WriteTracker::Unaccountable::remember};
  std::vector<std::shared_ptr<RecordedStorage>> learning;  // what the learner watches
  std::set<std::weak_ptr<model::Layer>, std::owner_less<>> spoiled;
  bool asleep = false;                                   // the model's memory is unmapped
  std::weak_ptr<Kept> kept;                              // asleep, where contents are lost
  std::vector<std::weak_ptr<model::Parameter>> wrapped;  // handles whose wrapper keeps their layer

  std::shared_ptr<Update> open_update() const;  // null when none is open
  // The layer's, made where there is none. Under lifetime=registry it goes when the layer does, and so does what an update keeps for it.
  std::shared_ptr<LayerRecord> record_of(const model::LayerPtr& layer);
  void forget_the_dead();
  void tell(model::EngineEventKind kind, std::string_view layer, std::string_view slot = {}, int64_t numel = 0,
            std::string_view detail = {}) const;
  // Kernel tensors of the group hold a mixture, or weights of an update that was abandoned, until it has been loaded whole.
  void spoil(const Group& group);
  void heal(const Update& finished);
  bool is_spoiled(const model::LayerPtr& layer) const { return spoiled.contains(layer); }
  bool unusable() const;
  // Reports under a coverage policy; ok unless it rejects.
  Status cover(Coverage policy_of_kind, model::EngineEventKind kind, std::string_view layer, std::string_view slot, int64_t numel,
               std::string_view detail) const;
};

// Around post-load steps: the settings that the policy wants them to find.
struct SettingsScope {
  explicit SettingsScope(const Core& core) {
    if (core.policy.settings == Settings::recorded) dtype.emplace(core.default_dtype);
  }
  std::optional<model::DTypeScope> dtype;
};

// Around everything that a reload does: nobody asks for gradients, and what autograd keeps of each view takes longer than the view.
using NoGradients = at::AutoDispatchBelowADInplaceOrView;

// The steps, one file each.
Status record(Core& core, model::Model& model);
Status first_load_done(Core& core, model::Model& model);
Status prepare(Core& core, model::Model& model);
Status finish(Core& core, model::Model& model);
Status abort(Core& core, model::Model& model);

}  // namespace reloadlab::layerwise
