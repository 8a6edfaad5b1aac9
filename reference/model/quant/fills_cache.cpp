// A post-load step that fills the buffer slot `cache`, which the constructor left empty, with the first column of the weight. It sets an
// attribute, as a module's own code does: where the slot is gone that makes a plain one, which is registered nowhere.
#include <fmt/format.h>

#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view slot_name = "cache";

at::Tensor content_of(const Layer& layer) { return layer.tensor(weight_name)->tensor.select(1, 0).clone(); }

class FillsCache final : public QuantMethod {
 public:
  std::string_view id() const override { return "fills_cache"; }

  std::vector<Derived> derived(const Layer& layer) const override {
    return {{.name = std::string(slot_name), .sources = {fmt::format("{}.{}", layer.path(), weight_name)}, .tensor = content_of(layer)}};
  }

 protected:
  Status process(Layer& layer) override {
    if (!layer.tensor(weight_name)) return Status(Code::failed, fmt::format("layer {} has no tensor {}", layer.path(), weight_name));
    const at::Tensor content = content_of(layer);
    RELOADLAB_TRY(post_load_middle(layer));
    if (const Slot* slot = layer.buffers.find(slot_name)) {
      layer.buffers.set(slot_name, made_parameter(content, "Buffer"), slot->persistent);
    } else {
      layer.extra.tensors[std::string(slot_name)] = content;
    }
    return {};
  }
};

SlotSpec filled(const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  return {.name = std::string(slot_name), .kind = SlotSpec::Kind::buffer, .shape = {weight.shape[0]}, .dtype = weight.dtype};
}

std::vector<SlotSpec> cache_results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after = before;
  for (SlotSpec& slot : after)
    if (slot.name == slot_name) slot = filled(before);
  return after;
}

Status check_cache(const std::vector<SlotSpec>& before) {
  const SlotSpec* cache = find_slot(before, slot_name);
  const SlotSpec* weight = find_slot(before, weight_name);
  if (cache && cache->kind == SlotSpec::Kind::empty_buffer && weight && weight->shape.size() == 2) return {};
  return refused("fills_cache", "needs an empty buffer called cache, and a weight of two dimensions");
}

}  // namespace

QuantInfo fills_cache() {
  return {.id = "fills_cache",
          .about = "the first column of the weight in the buffer slot cache, which was empty",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<FillsCache>(); },
          .results = cache_results,
          .extra_bytes = [](const std::vector<SlotSpec>& before) { return storage_bytes(filled(before)); },
          .permutes = [](std::string_view slot) { return slot != slot_name; },
          .permutation = identity_permutation,
          .check = check_cache};
}

}  // namespace reloadlab::model
