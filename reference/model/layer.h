#pragma once
// The substrate that engines reload: a tree of layers that hold tensors by name, as torch.nn.Module trees do.
//
//   Model ── root Layer ── children …
//              parameters: weight ─▶ Parameter{tensor, class, attributes, loader}      (a shared handle)
//              buffers:    scale  ─▶ Parameter{…}   persistent or not
//                          bias   ─▶ null           (an empty slot keeps its place in the order)
//
// Two slots that hold one handle are tied: they share tensor, class, attributes and loader, as one Python object would.
// A tensor that shares a storage with another one's without sharing the handle is a view. Nothing here is thread-safe;
// one rank's model belongs to one thread at a time.
#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "reference/base/status.h"
#include "reference/model/kind.h"
#include "reference/model/spec.h"

namespace reloadlab::model {

struct Parameter;
using ParameterPtr = std::shared_ptr<Parameter>;

// What a loader call says beside the destination and the loaded tensor. Engines bind these by name, with these defaults.
struct LoadArgs {
  std::optional<std::string> shard;
  std::optional<int64_t> expert;
  std::optional<std::string> part;
};

// A part of a destination and the part of what was loaded that goes there, as views of the two.
struct LoadBox {
  at::Tensor to, from;
};
using LoadBoxes = std::vector<LoadBox>;

// A weight loader: a free function, a method bound to its layer, or a method not yet bound. Immutable; shared by pointer.
// A loader reports a refusal as a Status; operators inside it may throw (guarded(), guard.h, turns that into a Status).
struct Loader {
  using Function = std::function<Status(Layer* self, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args)>;
  // Says which boxes the function copies, elsewise than by copying them, and that it does nothing else: the same for all tensors of this
  // shape with these arguments. An engine may then copy the boxes itself and leave the function uncalled. Anything but ok: it has to be.
  using Boxes =
      std::function<Result<LoadBoxes>(Layer* self, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs& args)>;
  std::string name;   // "weight_loader"; an engine's wrapper has a name of its own
  Function function;  // a free function ignores self; a method needs it
  bool is_method = false;
  std::weak_ptr<Layer> self;              // bound layer; the tree owns its layers, so a loader must not
  std::shared_ptr<const Loader> wrapped;  // what a wrapper wraps
  Boxes boxes;                            // null: it says nothing
  bool nameless = false;                  // takes whatever it is given: who looks for an argument called param finds none

  Status operator()(Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const;
};
using LoaderPtr = std::shared_ptr<const Loader>;

LoaderPtr free_loader(std::string name, Loader::Function function, Loader::Boxes boxes = {});
LoaderPtr method_loader(std::string name, Loader::Function function, const LayerPtr& self, Loader::Boxes boxes = {});
LoaderPtr bind_loader(const LoaderPtr& loader, const LayerPtr& self);  // a method bound to self; free functions come back as they are
LoaderPtr unbind_loader(const LoaderPtr& loader);
// What a parameter without a loader uses: copies a tensor of equal shape; a one-element destination is filled from the host scalar.
const LoaderPtr& default_weight_loader();

// Counts the living objects of the process that carry it, so that a leak is a number. Ranks may be threads, of which one goes on at a time.
template <class Owner>
class Counted {
 public:
  // Counts those that are made while it is the innermost one. What was there before it, and dies meanwhile, is none of its own.
  class Scope {
   public:
    Scope() : outer_(std::exchange(current, own_)) {}
    ~Scope() { current = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    int64_t live_count() const { return *own_; }

   private:
    std::shared_ptr<int64_t> own_ = std::make_shared<int64_t>(0), outer_;
  };

  Counted() : scope_(current) { ++live, ++*scope_; }
  Counted(const Counted&) : Counted() {}
  Counted& operator=(const Counted&) { return *this; }
  ~Counted() { --live, --*scope_; }
  static int64_t live_count() { return live; }

 private:
  static inline int64_t live = 0;
  static inline std::shared_ptr<int64_t> current = std::make_shared<int64_t>(0);
  std::shared_ptr<int64_t> scope_;
};

struct Parameter {
  at::Tensor tensor;                       // undefined: a lazy parameter, which has no shape yet
  std::string tensor_class = "Parameter";  // "ModelWeightParameter", "PerTensorScaleParameter", "Buffer", …
  Values attributes;                       // "pad_value", "output_dim", …; the loader is kept apart
  LoaderPtr loader;                        // null: default_weight_loader()
  Counted<Parameter> counted;
};

// Sees the loaders that layers brought along (not engines' wrappers around them) being called.
class LoaderListener {
 public:
  virtual ~LoaderListener() = default;
  // After the loader has written; what it returns is the call's result, so that a loader can be made to fail half-way.
  virtual Status leave(const Loader& loader, Parameter& destination, const Status& outcome) = 0;
};

// Makes a listener the calling thread's for its lifetime; the one before comes back after it.
class LoaderScope {
 public:
  explicit LoaderScope(LoaderListener& listener);
  ~LoaderScope();
  LoaderScope(const LoaderScope&) = delete;
  LoaderScope& operator=(const LoaderScope&) = delete;

 private:
  LoaderListener* before_;
};

struct Slot {
  std::string name;
  ParameterPtr handle;     // null: an empty slot
  bool persistent = true;  // buffers only
};

// An ordered dictionary with Python's rules: setting an existing name keeps its place, erasing and setting again moves it to the end.
class Slots {
 public:
  const Slot* find(std::string_view name) const;
  void set(std::string_view name, ParameterPtr handle, bool persistent = true);
  bool erase(std::string_view name);
  auto begin() const { return slots_.begin(); }
  auto end() const { return slots_.end(); }
  size_t size() const { return slots_.size(); }

 private:
  std::vector<Slot> slots_;
};

// State that is reachable from a layer and registered nowhere: kernel helpers, lazily made scratch, host copies of scales.
struct ExtraState {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, double> host;
  // A compiled kernel: it was made once, and reads the tensors of that time for good. They stand in `tensors` as well, as
  // "kernel:" and the slot's name, for whoever wants to know what a layer reaches. Null: none was made.
  std::function<at::Tensor(const at::Tensor& input)> kernel;
};

// What a post-load step derives from tensors of the model, computed once more from what they hold now: the oracle for stale state.
struct Derived {
  std::string name;                  // a slot of the layer, or the name of extra state
  bool extra = false;                // which of the two
  std::vector<std::string> sources;  // full paths of the slots it is derived from
  at::Tensor tensor;                 // undefined: it is a host number
  double host = 0;
};

class QuantMethod;

// A deferred layer's own post-load step, and how far it looks.
class OwnStep {
 public:
  using Function = std::function<Status(Layer&)>;

  OwnStep() = default;
  template <class Fn>
  OwnStep(Fn function) : function_(std::move(function)) {}  // it may look at anything
  // Whose result follows from the layer's own slots.
  static OwnStep within_layer(Function function) {
    OwnStep step(std::move(function));
    step.within_layer_ = true;
    return step;
  }

  explicit operator bool() const { return function_ != nullptr; }
  Status operator()(Layer& layer) const { return function_(layer); }
  bool looks_beyond() const { return function_ && !within_layer_; }

 private:
  Function function_;
  bool within_layer_ = false;
};

// What engines wrap around a layer's forward. Called on the stream that the forward is issued to; null: nothing. A failure is the
// forward's. `around` runs it from within, once, between the other two.
struct ForwardHooks {
  std::function<Status(Layer&)> before, after;
  std::function<Status(Layer&, const std::function<Status()>& forward)> around;
};

class Layer : public std::enable_shared_from_this<Layer> {
 public:
  explicit Layer(LayerSpec spec, std::string class_name);
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  LayerSpec spec;
  const LayerKind* kind = nullptr;  // null for the root
  TensorParallel tp;
  std::string class_name;  // "QKVParallelLinear", "Attention", "HadamardTransform", …
  Slots parameters;
  Slots buffers;
  std::vector<LayerPtr> children;
  std::shared_ptr<QuantMethod> quant_method;  // null: the layer has no post-load step of that kind
  // A deferred layer's own post-load step (attention), run after all others; null elsewhere. Call through run_post_load().
  OwnStep own_post_load;
  std::function<std::vector<Derived>(const Layer&)> own_derived;  // what that step derives; null where it derives nothing
  ExtraState extra;
  ForwardHooks hooks;
  bool post_load_done = false;
  // What others keep for the layer, as a dictionary with weak keys keeps its values: it goes when the layer does.
  std::vector<std::shared_ptr<void>> kept;

  const std::string& path() const { return spec.name; }
  // The handle in either dictionary; null when there is no such name or the slot is empty.
  ParameterPtr tensor(std::string_view name) const;
  // Puts the handle where the name already is, or registers it as a parameter at the end (what setattr does).
  void assign(std::string_view name, ParameterPtr handle);
  bool erase(std::string_view name);

  Counted<Layer> counted;
};

// Runs a forward of the layer, or what stands for one, with what is wrapped around it.
Status around_forward(Layer& layer, const std::function<Status()>& forward);
// One rank's part of the layer's forward, likewise. Its operators may throw.
Result<at::Tensor> run_layer(Layer& layer, const at::Tensor& input);

// Calls fn(slots, slot) for the layer's non-empty slots, parameters first. The slots must not change meanwhile.
template <class Fn>
void for_each_tensor(const Layer& layer, Fn&& fn) {
  for (const Slot& slot : layer.parameters)
    if (slot.handle) fn(slot, true);
  for (const Slot& slot : layer.buffers)
    if (slot.handle) fn(slot, false);
}

class Model {
 public:
  // What shows the model to another language. It is the last to go: what it shows is gone by then.
  std::shared_ptr<void> beside;
  ModelSpec spec;
  TensorParallel tp;
  LayerPtr root;                      // class "Model", no tensors of its own
  std::map<std::string, bool> flags;  // engine flags that live on the model ("_do_torchao_reload")
  // Called by the model's own load routine for a name that it cannot place. Null: nothing is said. An engine may install one.
  std::function<Status(std::string_view name)> on_unexpected_name;

  // Every layer but the root, in module order. The tree's shape is fixed from the first call of these three on.
  const std::vector<LayerPtr>& layers() const;
  LayerPtr find(std::string_view path) const;             // null when there is none
  ParameterPtr find_tensor(std::string_view path) const;  // "blocks.0.qkv.weight"

 private:
  mutable std::vector<LayerPtr> layers_;
  mutable std::unordered_map<std::string_view, const LayerPtr*> by_path_;
};

// Builds every layer of the spec for one rank, ties what is tied, sets views. REQUIRES a spec that passed check_model().
std::unique_ptr<Model> build_model(const ModelSpec& spec, TensorParallel tp);

at::ScalarType to_torch(DType dtype);
DType from_torch(at::ScalarType type);

}  // namespace reloadlab::model
