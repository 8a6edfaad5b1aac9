#pragma once
// What all kinds share: identity, keys, and the rule that a tied slot is an alias and gets no deliveries of its own. A kind
// implements the own_* functions as if nothing were tied.
#include "reference/model/kind.h"

namespace reloadlab::model {

class KindBase : public LayerKind {
 public:
  KindBase(std::string_view id, std::string_view about, std::vector<KeyInfo> keys) : id_(id), about_(about), keys_(std::move(keys)) {}
  std::string_view id() const final { return id_; }
  std::string_view about() const final { return about_; }
  std::span<const KeyInfo> keys() const final { return keys_; }
  std::vector<SlotSpec> slots(const LayerSpec& spec, TensorParallel tp) const final;
  std::vector<Delivery> deliveries(const LayerSpec& spec) const final;
  Status check(const LayerSpec& spec, TensorParallel tp) const final;

 protected:
  virtual std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const = 0;
  virtual std::vector<Delivery> own_deliveries(const LayerSpec& spec) const = 0;
  virtual Status check_sizes(const LayerSpec& spec, TensorParallel tp) const = 0;

 private:
  std::string_view id_, about_;
  std::vector<KeyInfo> keys_;
};

// The slot that `spec.tied_to` replaces: "weight" of "embed.weight"; empty when nothing is tied.
std::string_view tied_slot(const LayerSpec& spec);

// A delivery to the layer's slot; its name is `prefix`, or the layer's path, and the slot's name.
Delivery deliver(const LayerSpec& spec, std::string_view slot, Shape shape, std::string_view prefix = {}, std::string_view shard = {});

std::vector<std::string_view> split_names(std::string_view names);  // at commas

// Keys that several kinds have.
KeyInfo loader_key();
KeyInfo bias_key(std::string_view about = "has a bias");
KeyInfo pad_to_key(std::string_view name, std::string_view about);
KeyInfo pad_value_key();
Status must_have_loader(const LayerSpec& spec);  // the default loader only copies tensors of equal shape
// "blocks.0.qkv: 10 heads cannot be split over 4 ranks"
Status must_divide(const LayerSpec& spec, std::string_view what, int64_t count, int ranks);

}  // namespace reloadlab::model
