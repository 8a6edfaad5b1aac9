#pragma once
// One layer of a series on one rank.
#include <optional>
#include <set>
#include <tuple>

#include "reference/model/post_load.h"
#include "reference/shared_series/index.h"
#include "reference/shared_series/strides.h"

namespace reloadlab::shared_series {

// Stands in a layer for the quantization method that the series has taken over: others run it and nothing happens.
class TakenOver final : public model::QuantMethod {
 public:
  explicit TakenOver(std::shared_ptr<QuantMethod> own) : own_(std::move(own)) {}
  std::string_view id() const override { return own_->id(); }
  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override;
  at::Tensor compute_value(const model::Layer& layer, std::string_view slot) const override;
  std::vector<model::Derived> derived(const model::Layer& layer) const override;

 protected:
  Status process(model::Layer&) override { return {}; }

 private:
  std::shared_ptr<QuantMethod> own_;
};

// A tensor slot as it was registered, from which a reload makes it anew. It holds no memory.
struct Template {
  std::string name;
  bool parameter = true, persistent = true;
  std::optional<model::Parameter> made;  // without its tensor; nothing: an empty slot
  std::optional<Strided> layout;         // nothing: a lazy parameter
};

// What a layer has while its weights are processed ones.
struct Processed {
  model::Slots parameters, buffers;
  model::ExtraState extra;
  size_t tensors() const;  // slots that hold one
};

// Of a layer's tensors, by their names and what their loaders are told: shard, expert, part. One that comes again is the same.
using Pieces = std::set<std::tuple<std::string, std::optional<std::string>, std::optional<int64_t>, std::optional<std::string>>>;
std::string count_of(const Pieces& pieces);  // "2 pieces"

struct Member {
  model::LayerPtr layer;
  LayerIndex index{0};
  int64_t owner = 0;
  bool mine = false;
  std::shared_ptr<model::QuantMethod> step;  // what finish_loading runs; null: nothing
  model::ParameterPtr weight;                // what the ring fills and broadcasts
  Strided registered;                        // the weight, before loading
  std::vector<Template> templates;
  std::optional<Processed> processed;  // while a reload from a checkpoint is open
  Pieces loads;                        // that loaders brought, in the load that is open
  Pieces loads_first;                  // in the first one

  std::vector<at::Tensor> wire;    // the weight, as broadcasts take it; on its owner
  std::optional<WindowSlot> slot;  // the last window that it was given
  SeriesOffset target{0};          // what reach() of this layer fetches
  WindowSlot target_slot{0};       // static binding: into which window
};

}  // namespace reloadlab::shared_series
