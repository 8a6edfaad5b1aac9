// Post-load steps that leave the weight, in a tensor of its own, under the name that the kernel has for it, as engines turn packed names
// into plain ones. `renamed` does so each time it runs; `renamed_once` is behind a guard that lets it run for the first load only, and
// leaves a later one under the checkpoint's name.
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view kernel_name = "weight_kernel";

class Renamed final : public QuantMethod {
 public:
  Renamed(std::string_view id, bool guarded) : id_(id), guarded_(guarded) {}
  std::string_view id() const override { return id_; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    return layer.tensor(slot == weight_name ? kernel_name : slot)->tensor;
  }

 protected:
  Status process(Layer& layer) override {
    if (guarded_ && ran_) return post_load_middle(layer);
    const ParameterPtr weight = layer.tensor(weight_name);
    if (!weight) return Status(Code::failed, fmt::format("layer {} has no tensor {}", layer.path(), weight_name));
    const ParameterPtr made = replacement_of(weight, weight->tensor.clone());
    RELOADLAB_TRY(post_load_middle(layer));
    layer.erase(weight_name);
    layer.assign(kernel_name, made);
    ran_ = true;
    return {};
  }

 private:
  std::string_view id_;
  bool guarded_;
  bool ran_ = false;
};

std::vector<SlotSpec> renamed_results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after;
  for (const SlotSpec& slot : before)
    if (slot.name != weight_name) after.push_back(slot);
  const auto behind = std::ranges::find_if(after, [](const SlotSpec& slot) { return slot.kind == SlotSpec::Kind::buffer; });
  after.insert(behind, weight_of(before))->name = kernel_name;
  return after;
}

Status check_renamed(const std::vector<SlotSpec>& before) {
  for (const SlotSpec& slot : before) {
    if (slot.alias_of) return Status(Code::data, "a quantization that renames cannot take the names of tensors that are tied or views");
    if (slot.name == kernel_name) return Status(Code::data, "a quantization that renames would take the name of a tensor that is there");
  }
  const bool there = std::ranges::find(before, weight_name, &SlotSpec::name) != before.end();
  return there ? Status() : Status(Code::data, "a quantization that renames needs a tensor called weight");
}

template <bool guarded>
QuantInfo renames(std::string_view id, std::string_view about) {
  static const std::string_view name = id;
  return {.id = id,
          .about = about,
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<Renamed>(name, guarded); },
          .results = renamed_results,
          .extra_bytes = [](const std::vector<SlotSpec>& before) { return storage_bytes(weight_of(before)); },
          .permutes = [](std::string_view slot) { return slot != weight_name && slot != kernel_name; },
          .permutation = identity_permutation,
          .check = check_renamed};
}

}  // namespace

QuantInfo renamed() { return renames<false>("renamed", "the weight in a new tensor under the name weight_kernel"); }
QuantInfo renamed_once() { return renames<true>("renamed_once", "the same, but behind a guard that lets only its first run do it"); }

}  // namespace reloadlab::model
