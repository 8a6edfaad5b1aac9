#pragma once
// A layer kind: its keys, its arithmetic (slots, deliveries, placements) and how to build it. One file in kinds/ and one line in
// kinds/registry.cpp each. This header names no LibTorch header, so scenario/ may include it.
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "reference/base/status.h"
#include "reference/model/spec.h"

namespace at {
class Tensor;
}

namespace reloadlab::model {

class Layer;
class Model;
using LayerPtr = std::shared_ptr<Layer>;
class QuantMethod;

// Whose operators write tensors: CUDA's take scratch of their own for some.
enum class Operators { cpu, cuda };

class LayerKind {
 public:
  virtual ~LayerKind() = default;
  virtual std::string_view id() const = 0;
  virtual std::string_view about() const = 0;
  virtual std::span<const KeyInfo> keys() const = 0;
  // Sizes that cannot be split over so many ranks and the like; the message says what was expected.
  virtual Status check(const LayerSpec& spec, TensorParallel tp) const = 0;
  // The layer's own tensors in registration order, parameters first (children of composite kinds are layers of their own).
  virtual std::vector<SlotSpec> slots(const LayerSpec& spec, TensorParallel tp) const = 0;
  virtual std::vector<Delivery> deliveries(const LayerSpec& spec) const = 0;
  // Where the delivery's elements land on this rank; empty when the rank takes nothing of it. Closed form.
  virtual std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const = 0;
  // True where the loader also writes declared padding on this rank: then even a load that brings the rank nothing writes something.
  virtual bool loader_pads(const LayerSpec&, TensorParallel) const { return false; }
  // What the first forward registers.
  virtual std::vector<SlotSpec> late_slots(const LayerSpec&, TensorParallel) const { return {}; }
  // Bytes that the loader of a real (not meta) tensor allocates for itself at its peak; by CUDA's operators, at most.
  virtual int64_t loader_scratch_bytes(const LayerSpec&, const Delivery&, TensorParallel, Operators) const { return 0; }
  // Bytes of the host that it allocates although its tensor is on meta, as where loads are counted.
  virtual int64_t counting_scratch_bytes(const LayerSpec&, const Delivery&) const { return 0; }
  // Makes the layer with its tensors on the current default device, padding set to its declared value, loaders attached.
  virtual LayerPtr build(const LayerSpec& spec, TensorParallel tp) const = 0;
  // Called when all layers of the model exist and ties are set: makes what refers to other layers' tensors (views).
  virtual void link(Layer&, Model&) const {}
  // One rank's part of the layer's forward. Row-parallel and vocabulary-parallel kinds return a partial sum (is_partial()).
  // The layer is not const: some layers register a parameter or make scratch in their first forward.
  virtual at::Tensor forward(Layer& layer, const at::Tensor& input) const = 0;
  // False where it makes the host look at values, which no graph can.
  virtual bool is_capturable(const LayerSpec&) const { return true; }
  virtual bool is_partial(const LayerSpec&) const { return false; }
  // Slots of other layers that the layer reads, named as in SlotSpec::alias_of. link() looks them up, and check_model() has seen that
  // they are there in this shape.
  struct Reference {
    enum class Read {
      tensor,  // no quantization changes what the slot holds
      value,   // what it stands for: a quantization of that layer says what reading it takes (QuantInfo::value_bytes)
      shape,
    };
    std::string slot;
    Shape shape;
    Read read = Read::tensor;
  };
  virtual std::vector<Reference> references(const LayerSpec&, TensorParallel) const { return {}; }
  // Helper tensors (ExtraState) that the layer's own post-load step makes anew each time. It allocates nothing else, but what reading
  // values of quantized layers takes.
  virtual std::vector<SlotSpec> helpers(const LayerSpec&, TensorParallel) const { return {}; }
  // True for layers (attention) whose own post-load step runs after every other layer's.
  virtual bool deferred() const { return false; }
  // A fixed input that fits forward(), from `seed`; the same on every rank, already cut to the rank where the kind wants a shard.
  virtual at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const = 0;
};

std::span<const LayerKind* const> layer_kinds();
const LayerKind* find_layer_kind(std::string_view id);  // null when there is none
// Puts the kind's defaults where the spec has no value. REQUIRES that the kind exists.
void fill_defaults(LayerSpec& spec);

// A quantization method's name, keys and arithmetic: what its post-load step leaves behind.
struct QuantInfo {
  std::string_view id;
  std::string_view about;
  std::shared_ptr<QuantMethod> (*make)();
  // The slots after the post-load step, given those before it.
  std::vector<SlotSpec> (*results)(const std::vector<SlotSpec>& before);
  // Bytes that are alive at the peak of the post-load step beyond the slots before it: new results and scratch, together.
  int64_t (*extra_bytes)(const std::vector<SlotSpec>& before);
  // True when the step only permutes the slot's elements: then after[target] = before[permutation(before)[target]], row-major.
  bool (*permutes)(std::string_view slot);
  std::vector<int64_t> (*permutation)(const SlotSpec& before);  // REQUIRES permutes(before.name)
  // Whether the layer's tensors suit the method; the message says what was expected. A tie that takes_ties covers is no alias here.
  Status (*check)(const std::vector<SlotSpec>& before);
  // Bytes that compute_value() of `weight` takes at its peak, for steps of other layers that read it; null: they cannot.
  int64_t (*value_bytes)(const std::vector<SlotSpec>& before) = nullptr;
  // True when layers whose weights are tied may both have this method: each then makes a tensor of its own from the shared one.
  bool takes_ties = false;
};

std::vector<int64_t> identity_permutation(const SlotSpec& before);

std::span<const QuantInfo> quant_methods();
const QuantInfo* find_quant_method(std::string_view id);

// Unknown kinds, quantization methods, ties and views, sizes that do not divide, duplicate names: everything that build_model() relies on.
// REQUIRES that architectures are expanded and defaults filled in.
Status check_model(const ModelSpec& spec, TensorParallel tp);
inline Status check_model(const ModelSpec& spec, int ranks) { return check_model(spec, TensorParallel{.size = ranks}); }

}  // namespace reloadlab::model
