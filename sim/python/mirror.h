#pragma once
// A model as Python sees it: each layer is a torch.nn.Module of the layer's class, in the layer's place in the tree; its slots are the
// module's parameters and buffers, by the same names in the same order.
//
//   Model ──▶ Layer ──▶ Slots ──▶ handle ──▶ TensorImpl ──▶ Parameter (a PyObject: class, __dict__, weight_loader)
//     └─▶ Mirror ──▶ Module ──▶ _parameters ────────────────▶ the same
//
// The tensor of a handle is the very one that Python holds, so that what either side does to it (`.data =`, set_()) the other sees, and
// tied stays tied. What changes beside tensors is carried over at each border: show() before Python runs, read() after it has.
//
// A module knows its layer weakly, and a layer does not know its module: nothing in C++ outlives the model, and what Python still holds of
// it then is counted as what it is, a layer that is left.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reference/model/layer.h"
#include "sim/python/gil.h"

namespace reloadlab::python {

// A forward that the harness has begun, where something of Python stands around it.
struct OwnForward {
  const model::Layer* layer;
  const std::function<Status()>& run;
  bool ran = false;
};

// All of it REQUIRES the GIL.
class Mirror : public std::enable_shared_from_this<Mirror> {
 public:
  // The model's, made on the first call.
  static std::shared_ptr<Mirror> of(model::Model& model);
  explicit Mirror(model::Model& model);
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  py::object root() const { return root_; }
  // The module of a living layer of this model.
  py::object module_of(const model::Layer& layer) const { return nodes_.at(by_layer_.at(&layer)).module; }
  void show();
  void read();
  // While Python runs it alone holds the tensors: what it lets go of is freed then. read() takes them again. Handles that others hold too
  // keep theirs, as whoever keeps a Parameter does.
  void let_go();
  // What has died in Python meanwhile is forgotten here.
  void forget_the_dead();
  // What the substrate gave the layer, whatever stands there by now; null: nothing.
  std::shared_ptr<model::QuantMethod> own_step(const model::Layer& layer) const { return nodes_[by_layer_.at(&layer)].quant_method; }
  // Runs what the substrate does, for Python code that called it: read(), fn(), show().
  template <class Fn>
  Status substrate(Fn&& fn) {
    read();
    Status status = std::forward<Fn>(fn)();
    show();
    let_go();
    return status;
  }
  // The handle of a tensor that Python holds: a known one, or one that is made of it and lives as long as it is held.
  model::ParameterPtr handle_of(const py::object& tensor);
  // And the other way round; None: it is gone.
  py::object object_for(const model::Parameter& handle) const;
  // What the substrate did to that handle's attributes, loader and tensor.
  void show_handle(const py::object& tensor, model::Parameter& handle);

  // Where the harness looks into the layers while Python runs, as it does when a series sends, they hold their tensors all the time.
  bool lets_go = true;
  OwnForward* forward = nullptr;  // that is under way
  py::object candidate;           // whose calls these are: an instance of Reloader or WeightSeries

 private:
  struct Node {
    model::Layer* layer;  // null: the root, which has no slots
    py::object module;
    py::dict parameters, buffers;
    std::shared_ptr<model::QuantMethod> quant_method;  // as the substrate made it; null: none
    uint64_t parameters_version = 0, buffers_version = 0;
  };
  // A tensor that stands or stood in a slot. What stands in none any more but is alive in Python keeps its handle, without the tensor.
  struct Known {
    model::ParameterPtr handle;
    c10::weak_intrusive_ptr<c10::TensorImpl> tensor;
    uint64_t version = 0;  // of the object's dictionary, as it was read last
    PyTypeObject* type = nullptr;
    bool lazy = false;  // Python's has no shape yet, and the handle no tensor
    Values attributes;  // as they were shown or read last
    model::LoaderPtr loader;
    int slots = 0;  // that hold the handle
  };

  void make_modules(const std::vector<model::LayerPtr>& children, const py::object& parent);
  py::object make_module(const model::LayerPtr& layer);
  void show_slots(Node& node, const model::Slots& slots, py::dict& shown, bool parameters);
  void show_marks(Node& node);
  void show_flags();
  py::object shown(const model::ParameterPtr& handle, bool parameter);
  py::object make_object(const model::ParameterPtr& handle, bool parameter);
  py::object exchanged(Known& known, const model::ParameterPtr& handle, bool parameter);
  void show_attributes(const py::object& object, Known& known);
  bool read_slots(Node& node);
  void read_marks(Node& node);
  void read_takings(Node& node);
  void read_flags();
  model::Slots slots_of(const Node& node, const py::dict& from, bool parameters);
  void read_object(const py::object& object, Known& known);
  Known& known_of(const py::object& object, const at::Tensor& tensor);
  Known& remember(const model::ParameterPtr& handle, const at::Tensor& tensor);
  void count_slots();
  py::object quant_method_of(const model::LayerPtr& layer);

  model::Model& model_;
  py::object root_;
  std::vector<Node> nodes_;
  std::map<const model::Layer*, size_t> by_layer_;
  std::map<c10::TensorImpl*, Known> known_;
  std::map<const model::Parameter*, c10::TensorImpl*> tensor_of_;
  std::map<const model::QuantMethod*, py::object> quant_methods_;
  std::map<std::string, bool> flags_;  // as the model had them when it was built
};

// What a module knows of its layer.
struct LayerRef {
  std::weak_ptr<model::Layer> layer;
  std::weak_ptr<Mirror> mirror;
};

// The layer of one of our modules; null for anything else, and for one whose model is gone.
model::LayerPtr layer_of(const py::handle& module);

// Whose call into Python this thread is in; null: none.
Mirror* current();

// Makes it the thread's for its lifetime, and sets Torch's defaults to the model's.
class Entered {
 public:
  explicit Entered(Mirror& mirror);
  ~Entered();
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  Mirror* before_;
  py::object settings_;
};

}  // namespace reloadlab::python
