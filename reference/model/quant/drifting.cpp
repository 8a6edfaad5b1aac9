// Post-load steps whose first run leaves the weight alone and whose later runs leave something else: another shape or dtype, one more
// tensor, or the weight under another name. Engines that copy results back by name, and believe that they fit, fail on them.
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

enum class Drift {
  shape,   // one row of the weight
  dtype,   // the weight in float64
  extra,   // a buffer that was not there before
  rename,  // the weight is called weight_packed
};

class Drifting final : public QuantMethod {
 public:
  Drifting(std::string_view id, Drift drift) : id_(id), drift_(drift) {}
  std::string_view id() const override { return id_; }

 protected:
  Status process(Layer& layer) override {
    if (runs_++ == 0) return post_load_middle(layer);
    const ParameterPtr weight = layer.tensor("weight");
    if (!weight) return Status(Code::failed, fmt::format("layer {} has no tensor weight", layer.path()));
    RELOADLAB_TRY(post_load_middle(layer));
    switch (drift_) {
      case Drift::shape:
        layer.assign("weight", replacement_of(weight, weight->tensor.narrow(0, 0, 1).clone()));
        break;
      case Drift::dtype:
        layer.assign("weight", replacement_of(weight, weight->tensor.to(at::kDouble)));
        break;
      case Drift::extra:
        layer.buffers.set("late_scale", replacement_of(weight, at::zeros({1}, weight->tensor.options())));
        break;
      case Drift::rename:
        layer.erase("weight");
        layer.assign("weight_packed", weight);
        break;
    }
    return {};
  }

 private:
  std::string_view id_;
  Drift drift_;
  int runs_ = 0;
};

// Of a later run.
template <Drift drift>
int64_t extra_bytes(const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  switch (drift) {
    case Drift::shape:
      return numel(weight.shape) / weight.shape[0] * dtype_size(weight.dtype);
    case Drift::dtype:
      return weight.dtype == DType::f64 ? 0 : numel(weight.shape) * dtype_size(DType::f64);
    case Drift::extra:
      return dtype_size(weight.dtype);
    case Drift::rename:
      return 0;
  }
  return 0;
}

std::vector<int64_t> no_permutation(const SlotSpec&) { return {}; }

Status check(const std::vector<SlotSpec>& before) {
  for (const SlotSpec& slot : before) {
    if (slot.alias_of) return Status(Code::data, "a drifting quantization cannot replace tensors that are tied or views");
    if (slot.name == "weight" && !slot.shape.empty()) return {};
  }
  return Status(Code::data, "a drifting quantization needs a tensor called weight with at least one dimension");
}

template <Drift drift>
QuantInfo drifting(std::string_view id, std::string_view about) {
  static const std::string_view name = id;
  return {.id = id,
          .about = about,
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<Drifting>(name, drift); },
          .results = [](const std::vector<SlotSpec>& before) { return before; },
          .extra_bytes = extra_bytes<drift>,
          .permutes = [](std::string_view) { return false; },
          .permutation = no_permutation,
          .check = check};
}

}  // namespace

QuantInfo drifting_shape() { return drifting<Drift::shape>("drifting_shape", "from its second run on it leaves one row of the weight"); }
QuantInfo drifting_dtype() { return drifting<Drift::dtype>("drifting_dtype", "from its second run on it leaves the weight in float64"); }
QuantInfo drifting_extra() { return drifting<Drift::extra>("drifting_extra", "from its second run on it registers one more buffer"); }
QuantInfo drifting_rename() { return drifting<Drift::rename>("drifting_rename", "from its second run on it renames the weight"); }

}  // namespace reloadlab::model
