#pragma once
// The arithmetic of a case's model, worked out once: what a checkpoint delivers, which layers share storage, how big things are.
// Closed form only: no tensor is made here, so that expectations do not come from what they judge.
#include <string>
#include <vector>

#include "reference/base/name_hash.h"
#include "reference/model/kind.h"
#include "reference/model/spec.h"

namespace reloadlab::sim {

class Catalogue {
 public:
  explicit Catalogue(const model::ModelSpec& model);

  const std::vector<model::Delivery>& deliveries() const { return deliveries_; }
  int find_delivery(std::string_view name) const;  // -1: none
  const model::ModelSpec& model() const { return *model_; }
  int layer_count() const { return static_cast<int>(model_->layers.size()); }
  const model::LayerSpec& layer(int index) const { return model_->layers[static_cast<size_t>(index)]; }
  const model::LayerKind& kind(int index) const { return *kinds_[static_cast<size_t>(index)]; }
  int find_layer(std::string_view path) const;  // -1: none
  int layer_of(int delivery) const { return delivery_layers_[static_cast<size_t>(delivery)]; }
  // Layers whose tensors share storage (tied, or views of one another) have the same group: the smallest layer index among them.
  int group_of(int layer) const { return groups_[static_cast<size_t>(layer)]; }
  // The slot that the delivery's elements end up in, numbered from 0: a tied handle counts once, whatever name receives the load.
  int target_of(int delivery) const { return targets_[static_cast<size_t>(delivery)]; }
  int target_count() const { return static_cast<int>(target_index_.size()); }
  // Deferred layers are processed after all others, at the end of an update.
  bool deferred(int layer) const { return deferred_[static_cast<size_t>(layer)]; }

 private:
  void join(int layer, std::string_view slot_path);
  std::string root_of(int layer, const std::string& slot) const;
  const model::ModelSpec* model_;
  std::vector<const model::LayerKind*> kinds_;
  std::vector<model::Delivery> deliveries_;
  std::vector<int> delivery_layers_;
  std::vector<int> groups_;
  std::vector<bool> deferred_;
  void number_targets();
  std::vector<int> targets_;  // by delivery
  unordered_names<int> layer_index_;
  unordered_names<int> delivery_index_;
  unordered_names<int> target_index_;
};

}  // namespace reloadlab::sim
