#pragma once
// What a model is, as plain data: layers with their kinds and sizes, what a checkpoint delivers to them, and which elements of
// which tensor each delivery fills. Everything here is arithmetic on the scenario, so that oracles can use it; the layers
// themselves (layer.h) and their loaders are written independently of it, and tests hold the two against each other.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/scalar.h"

namespace reloadlab::model {

// Where a rank stands in its tensor-parallel group, and which of several equal groups (replicas) that is. INVARIANT 0 <= rank < size,
// 0 <= replica < replicas.
struct TensorParallel {
  int rank = 0;
  int size = 1;
  int replica = 0;
  int replicas = 1;
  // Whole experts are dealt out over the ranks of all groups, group after group.
  TensorParallel over_all() const { return {replica * size + rank, size * replicas}; }
};

// One key that a layer kind (or a quantization method) understands. The scenario schema, its documentation and its parser read these.
struct KeyInfo {
  enum class Type { boolean, integer, number, text, integers };
  std::string_view name;
  Type type = Type::integer;
  bool required = false;
  Value fallback = int64_t{0};  // used when the key is absent and not required
  int64_t minimum = 0;          // integers and elements of integer lists only
  std::string_view about;
  std::string_view choices = {};  // text only: the allowed values, "bound|free"; empty: any
};

struct LayerSpec {
  std::string name;  // dotted path in the model, unique: "blocks.0.qkv"
  std::string kind;  // LayerKind::id()
  DType dtype = DType::bf16;
  std::string quant = "none";          // QuantInfo::id
  std::optional<std::string> tied_to;  // "embed.weight": this layer's slot of that name is the same handle
  Values values;                       // the kind's own keys, defaults filled in

  bool flag(std::string_view key) const;
  int64_t integer(std::string_view key) const;  // these four: REQUIRES that the kind declares the key with this type
  double number(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  const std::vector<int64_t>& integers(std::string_view key) const;
};

struct ModelSpec {
  DType dtype = DType::bf16;            // the default of its layers, and what deferred post-load steps are told
  std::map<std::string, bool> flags;    // engine flags that live on the model ("_do_torchao_reload")
  std::string architecture = "layers";  // "layers": a list without a forward of its own; "bert": an encoder (architecture.h)
  Values values;                        // the architecture's own keys
  std::vector<LayerSpec> layers;        // in module order: parents before children, as a module tree is walked
};

// One registered tensor of a layer as its constructor makes it on one rank, before any post-load step.
struct SlotSpec {
  enum class Kind { parameter, buffer, empty_parameter, empty_buffer };
  std::string name;
  Kind kind = Kind::parameter;
  Shape shape;  // local to the rank
  DType dtype = DType::bf16;
  bool persistent = true;
  // The slot whose storage this one shares, see resolve_alias(): a tied handle, or a view of alias_start on.
  std::optional<std::string> alias_of;
  std::optional<double> initial;  // the declared value of elements that no load writes (padding, constants); none: every element is loaded
  double initial_step = 0;        // each such element's value is this much more than the one before it: 0, 1, 2 … for positions
  // The declared value of each element, by its row-major number, of a constant that is no progression; null: it is none.
  std::function<double(int64_t element)> constant = {};
  Shape strides;            // empty: dense
  int64_t alias_start = 0;  // a view's first element in the aliased tensor, row-major
  // What the loader does to the elements in place, after its copy.
  enum class Transform { none, negate, negative_exp } transform = Transform::none;
};

const SlotSpec* find_slot(const std::vector<SlotSpec>& slots, std::string_view name);  // null when there is none
int64_t storage_bytes(const SlotSpec& slot);               // what its own allocation takes; 0 for aliases and empty slots
double undo(SlotSpec::Transform transform, double value);  // what had been copied, up to rounding

// One tensor of a checkpoint and where it goes. `name` is unique in a model: it is how checkpoints and scenarios call it.
struct Delivery {
  std::string name;  // "blocks.0.q_proj.weight"
  Shape shape;       // as in the checkpoint: the whole tensor, not a rank's shard
  DType dtype = DType::bf16;
  std::string layer;  // receiving layer's path
  std::string slot;
  std::optional<std::string> shard;
  std::optional<int64_t> expert;
  std::optional<std::string> part;
  // The delivery whose elements this one lands on once more. Checkpoints hold equal values for both, so that it makes no difference
  // which comes last; empty: there is none.
  std::string repeats = {};
  const std::string& content() const { return repeats.empty() ? name : repeats; }  // the name that the values go by
};

// A box of the delivered tensor that lands, unchanged in order, on a box of the slot. Starts and extents are per dimension of the
// slot; a delivered tensor that has fewer is aligned() with it, as one expert's matrix is with the stack of them.
struct Placement {
  Shape source_start;
  Shape target_start;
  Shape extent;
};

// The shape with as many ones before it as it takes to have `dims` dimensions.
inline Shape aligned(Shape shape, size_t dims) {
  if (shape.size() < dims) shape.insert(shape.begin(), dims - shape.size(), 1);
  return shape;
}

// Splits "blocks.0.qkv.weight" into layer path and slot name.
std::pair<std::string, std::string> split_slot_path(std::string_view path);
// The full path of the slot that `alias` names from inside `layer`: "weight" is the layer's own, "conv.weight" belongs to its child
// conv if it has one, and is a path from the root otherwise.
std::string resolve_alias(const ModelSpec& model, const LayerSpec& layer, std::string_view alias);

}  // namespace reloadlab::model
