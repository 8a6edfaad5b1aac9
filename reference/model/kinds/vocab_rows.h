#pragma once
// A [vocabulary, hidden] weight whose rows are padded and then split over ranks: what an embedding and an output head have in common.
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {

class VocabRows : public KindBase {
 public:
  VocabRows(std::string_view id, std::string_view about, std::string_view class_name)
      : KindBase(id, about, vocab_keys()), class_name_(class_name) {}
  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override;
  bool loader_pads(const LayerSpec& spec, TensorParallel tp) const override;
  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override;

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override;
  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override;
  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override;
  static Piece rows_of(const LayerSpec& spec, TensorParallel tp);

 private:
  static std::vector<KeyInfo> vocab_keys();
  std::string_view class_name_;
};

}  // namespace reloadlab::model
