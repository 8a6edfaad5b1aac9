#include "sim/python/mirror.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/TensorImpl.h>

#include "reference/base/check.h"
#include "reference/model/device.h"
#include "reference/model/post_load.h"
#include "sim/python/callables.h"
#include "sim/python/helpers.h"
#include "sim/python/taken.h"
#include "sim/python/values.h"

namespace reloadlab::python {
namespace {

constexpr const char* kFlags[] = {"_do_torchao_reload", "process_weights_after_loading_already_called"};
constexpr const char* kProcessed = "_already_called_process_weights_after_loading";
thread_local Mirror* entered = nullptr;

// Another tensor on the same bytes, made without an operator: nobody who watches them is to see it.
at::Tensor on_same_bytes(const at::Tensor& tensor) {
  at::Tensor made =
      at::detail::make_tensor<c10::TensorImpl>(c10::Storage(tensor.storage()), tensor.unsafeGetTensorImpl()->key_set(), tensor.dtype());
  made.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  return made;
}

bool same(const model::Slots& a, const model::Slots& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const model::Slot& one, const model::Slot& other) {
           return one.name == other.name && one.handle == other.handle && one.persistent == other.persistent;
         });
}

}  // namespace

std::shared_ptr<Mirror> Mirror::of(model::Model& model) {
  if (!model.beside) {
    auto mirror = std::make_shared<Mirror>(model);
    model.beside = mirror;
    mirror->root_ = helpers().attr("make_root")(py::cast(LayerRef{model.root, mirror}));
    mirror->make_modules(model.root->children, mirror->root_);
    mirror->show();
  }
  return std::static_pointer_cast<Mirror>(model.beside);
}

Mirror::Mirror(model::Model& model) : model_(model), flags_(model.flags) {}

// The model's layers are gone: whose modules are left is counted by what they are told to hold.
Mirror::~Mirror() {
  if (!Py_IsInitialized()) return;
  const Gil gil;
  py::list left;
  const py::object weak = py::module_::import("weakref").attr("ref");
  for (const Node& node : nodes_) left.append(weak(node.module));
  nodes_.clear();
  known_.clear();
  quant_methods_.clear();
  candidate = py::object();
  root_ = py::object();
  helpers().attr("count_left")(left);
}

py::object Mirror::quant_method_of(const model::LayerPtr& layer) {
  if (!layer->quant_method) return py::none();
  py::object& made = quant_methods_[layer->quant_method.get()];
  if (!made) made = helpers().attr("make_quant_method")(std::string(layer->quant_method->id()));
  return made;
}

py::object Mirror::make_module(const model::LayerPtr& layer) {
  const py::object quant_method = quant_method_of(layer);
  return helpers().attr("make_module")(layer->class_name, layer->path(), py::cast(LayerRef{layer, weak_from_this()}), quant_method);
}

void Mirror::make_modules(const std::vector<model::LayerPtr>& children, const py::object& parent) {
  for (const model::LayerPtr& child : children) {
    py::object module = make_module(child);
    helpers().attr("add_child")(parent, module);
    by_layer_.emplace(child.get(), nodes_.size());
    nodes_.push_back({child.get(), module, module.attr("_parameters"), module.attr("_buffers"), child->quant_method});
    make_modules(child->children, module);
  }
}

void Mirror::show() {
  for (Node& node : nodes_) {
    show_slots(node, node.layer->parameters, node.parameters, true);
    show_slots(node, node.layer->buffers, node.buffers, false);
    show_marks(node);
  }
  show_flags();
  forget_the_dead();
}

void Mirror::show_slots(Node& node, const model::Slots& slots, py::dict& there, bool parameters) {
  std::vector<std::pair<py::str, py::object>> wanted;
  for (const model::Slot& slot : slots)
    wanted.emplace_back(slot.name, slot.handle ? shown(slot.handle, parameters) : py::object(py::none()));
  bool equal = there.size() == wanted.size();
  size_t at = 0;
  for (const auto& [name, object] : there) {
    if (!equal) break;
    equal = object.ptr() == wanted[at].second.ptr() && name.equal(wanted[at].first);
    ++at;
  }
  if (!equal) {
    there.clear();
    for (const auto& [name, object] : wanted) there[name] = object;
  }
  if (parameters) {
    node.parameters_version = version_of(there);
    return;
  }
  py::set transient(node.module.attr("_non_persistent_buffers_set"));
  for (const model::Slot& slot : slots)
    if (transient.contains(slot.name) == slot.persistent) transient.attr(slot.persistent ? "discard" : "add")(slot.name);
  node.buffers_version = version_of(there);
}

void Mirror::show_marks(Node& node) {
  const py::dict attributes = attributes_of(node.module);
  const bool marked = attributes.contains(kProcessed);
  if (node.layer->post_load_done && !marked) node.module.attr(kProcessed) = true;
  if (!node.layer->post_load_done && marked) py::delattr(node.module, kProcessed);
}

void Mirror::show_flags() {
  const py::dict attributes = attributes_of(root_);
  for (const auto& [name, on] : model_.flags)
    if (!attributes.contains(name) || attributes[py::str(name)].cast<bool>() != on) root_.attr(name.c_str()) = on;
}

py::object Mirror::shown(const model::ParameterPtr& handle, bool parameter) {
  const auto found = tensor_of_.find(handle.get());
  if (found == tensor_of_.end()) return make_object(handle, parameter);
  Known& known = known_.at(found->second);
  const at::Tensor tensor(known.tensor.lock());
  if (!tensor.defined()) {
    known_.erase(found->second);
    tensor_of_.erase(found);
    return make_object(handle, parameter);
  }
  if (handle->tensor.defined() && !handle->tensor.is_same(tensor)) return exchanged(known, handle, parameter);
  py::object object = object_of(tensor);
  show_attributes(object, known);
  return object;
}

// The substrate gave the handle another tensor: Python's keeps its identity where Torch can exchange what is in it.
py::object Mirror::exchanged(Known& known, const model::ParameterPtr& handle, bool parameter) {
  const at::Tensor tensor(known.tensor.lock());
  py::object object = object_of(tensor);
  if (known.lazy) helpers().attr("becomes")(object, helpers().attr("tensor_class")(handle->tensor_class, parameter));
  known.lazy = false;
  if (tensor.unsafeGetTensorImpl()->has_compatible_shallow_copy_type(handle->tensor.key_set())) {
    tensor.unsafeGetTensorImpl()->shallow_copy_from(handle->tensor.getIntrusivePtr());
    handle->tensor = tensor;
    show_attributes(object, known);
    return object;
  }
  known_.erase(tensor.unsafeGetTensorImpl());
  tensor_of_.erase(handle.get());
  return make_object(handle, parameter);
}

py::object Mirror::make_object(const model::ParameterPtr& handle, bool parameter) {
  const py::object type = helpers().attr("tensor_class")(handle->tensor_class, parameter);
  if (!handle->tensor.defined()) {
    py::object lazy = helpers().attr("make_lazy")();
    Known& known = remember(handle, tensor_of(lazy));
    known.lazy = true;
    show_attributes(lazy, known);
    return lazy;
  }
  // One that Python has an object of already, of another handle or of another class, cannot be this one's.
  if (parameter || known_.contains(handle->tensor.unsafeGetTensorImpl()) || !type.is(py::handle(THPVariableClass)))
    handle->tensor = on_same_bytes(handle->tensor);
  py::object object = py::reinterpret_steal<py::object>(THPVariable_Wrap(handle->tensor, reinterpret_cast<PyTypeObject*>(type.ptr())));
  show_attributes(object, remember(handle, handle->tensor));
  return object;
}

Mirror::Known& Mirror::remember(const model::ParameterPtr& handle, const at::Tensor& tensor) {
  c10::TensorImpl* const impl = tensor.unsafeGetTensorImpl();
  tensor_of_[handle.get()] = impl;
  return known_.insert_or_assign(impl, Known{handle, c10::weak_intrusive_ptr<c10::TensorImpl>(tensor.getIntrusivePtr())}).first->second;
}

void Mirror::show_attributes(const py::object& object, Known& known) {
  const model::Parameter& handle = *known.handle;
  if (known.version != 0 && known.loader == handle.loader && known.attributes == handle.attributes) return;
  py::dict attributes = attributes_of(object);
  for (const auto& [name, value] : known.attributes)
    if (!handle.attributes.contains(name)) attributes.attr("pop")(name, py::none());
  for (const auto& [name, value] : handle.attributes) attributes[py::str(name)] = shown_value(value);
  if (known.loader != handle.loader || known.version == 0) {
    if (handle.loader)
      attributes["weight_loader"] = shown_loader(handle.loader, *this);
    else
      attributes.attr("pop")("weight_loader", py::none());
  }
  known.attributes = handle.attributes;
  known.loader = handle.loader;
  known.type = Py_TYPE(object.ptr());
  known.version = version_of(attributes);
}

void Mirror::read() {
  bool any = false;
  for (Node& node : nodes_) {
    any |= read_slots(node);
    read_marks(node);
    read_takings(node);
  }
  read_flags();
  if (any) forget_the_dead();
}

bool Mirror::read_slots(Node& node) {
  const bool parameters = version_of(node.parameters) != node.parameters_version,
             buffers = version_of(node.buffers) != node.buffers_version;
  for (const py::dict* each : {&node.parameters, &node.buffers})
    for (const auto& [name, object] : *each)
      if (!object.is_none()) known_of(py::reinterpret_borrow<py::object>(object), tensor_of(object));
  if (!parameters && !buffers) return false;
  if (model::Slots slots = slots_of(node, node.parameters, true); !same(slots, node.layer->parameters))
    node.layer->parameters = std::move(slots);
  if (model::Slots slots = slots_of(node, node.buffers, false); !same(slots, node.layer->buffers)) node.layer->buffers = std::move(slots);
  node.parameters_version = version_of(node.parameters);
  node.buffers_version = version_of(node.buffers);
  return true;
}

model::Slots Mirror::slots_of(const Node& node, const py::dict& from, bool parameters) {
  model::Slots slots;
  const py::set transient(node.module.attr("_non_persistent_buffers_set"));
  for (const auto& [name, object] : from) {
    model::ParameterPtr handle =
        object.is_none() ? nullptr : known_of(py::reinterpret_borrow<py::object>(object), tensor_of(object)).handle;
    slots.set(name.cast<std::string>(), std::move(handle), parameters || !transient.contains(name));
  }
  return slots;
}

// Found again, or made; what it says of itself is read where it has changed.
Mirror::Known& Mirror::known_of(const py::object& object, const at::Tensor& tensor) {
  c10::TensorImpl* const impl = tensor.unsafeGetTensorImpl();
  const auto found = known_.find(impl);
  Known& known = found != known_.end() ? found->second : remember(std::make_shared<model::Parameter>(), tensor);
  read_object(object, known);
  return known;
}

void Mirror::read_object(const py::object& object, Known& known) {
  model::Parameter& handle = *known.handle;
  const py::dict attributes = attributes_of(object);
  PyTypeObject* const type = Py_TYPE(object.ptr());
  if (known.type != type) {
    handle.tensor_class = helpers().attr("name_of_class")(object).cast<std::string>();
    known.lazy = helpers().attr("is_lazy")(object).cast<bool>();
    known.type = type;
  }
  if (known.lazy)
    handle.tensor = at::Tensor();
  else if (!handle.tensor.defined())
    handle.tensor = tensor_of(object);
  if (known.version == version_of(attributes)) return;
  handle.attributes = read_values(attributes);
  const py::object loader = attributes.contains("weight_loader") ? py::object(attributes["weight_loader"]) : py::object(py::none());
  handle.loader = loader.is_none() ? nullptr : read_loader(loader, weak_from_this());
  known.attributes = handle.attributes;
  known.loader = handle.loader;
  known.version = version_of(attributes);
}

void Mirror::count_slots() {
  for (auto& [tensor, known] : known_) known.slots = 0;
  for (const Node& node : nodes_)
    for (const model::Slots* slots : {&node.layer->parameters, &node.layer->buffers})
      for (const model::Slot& slot : *slots)
        if (slot.handle) ++known_.at(tensor_of_.at(slot.handle.get())).slots;
}

void Mirror::let_go() {
  if (!lets_go) return;
  count_slots();
  for (auto& [tensor, known] : known_)
    if (known.handle.use_count() == 1 + known.slots) known.handle->tensor = at::Tensor();
}

// Whose tensor is gone is gone; what stands in no slot, and is known to nobody in C++, does not keep its tensor.
void Mirror::forget_the_dead() {
  for (auto known = known_.begin(); known != known_.end();) {
    if (known->second.handle.use_count() == 1) known->second.handle->tensor = at::Tensor();
    if (known->second.tensor.expired()) {
      tensor_of_.erase(known->second.handle.get());
      known = known_.erase(known);
    } else {
      ++known;
    }
  }
}

void Mirror::read_marks(Node& node) { node.layer->post_load_done = attributes_of(node.module).contains(kProcessed); }

// A step on the object, or a forward on the module, that a candidate has put in the place of ours.
void Mirror::read_takings(Node& node) {
  const py::dict attributes = attributes_of(node.module);
  if (node.quant_method && node.layer->quant_method == node.quant_method && helpers().attr("is_taken")(node.module).cast<bool>())
    node.layer->quant_method = taken_step(node.quant_method, weak_from_this());
  if (!node.layer->hooks.around && attributes.contains("forward")) node.layer->hooks.around = taken_forward(weak_from_this());
}

// Those that the model was built with, and those of engines that they are known by.
void Mirror::read_flags() {
  const py::dict attributes = attributes_of(root_);
  const auto read = [&](const std::string& name) {
    if (attributes.contains(name) && PyBool_Check(py::object(attributes[py::str(name)]).ptr()))
      model_.flags.insert_or_assign(name, attributes[py::str(name)].cast<bool>());
    else
      model_.flags.erase(name);
  };
  for (const auto& [name, on] : flags_) read(name);
  for (const char* name : kFlags) read(name);
}

model::ParameterPtr Mirror::handle_of(const py::object& tensor) {
  const auto found = known_.find(tensor_of(tensor).unsafeGetTensorImpl());
  if (found != known_.end()) {
    read_object(tensor, found->second);
    return found->second.handle;
  }
  auto handle = std::make_shared<model::Parameter>();
  Known made{handle, c10::weak_intrusive_ptr<c10::TensorImpl>(tensor_of(tensor).getIntrusivePtr())};
  read_object(tensor, made);
  return handle;
}

py::object Mirror::object_for(const model::Parameter& handle) const {
  const auto found = tensor_of_.find(&handle);
  const at::Tensor tensor = found == tensor_of_.end() ? handle.tensor : at::Tensor(known_.at(found->second).tensor.lock());
  return tensor.defined() ? object_of(tensor) : py::object(py::none());
}

void Mirror::show_handle(const py::object& tensor, model::Parameter& handle) {
  const auto found = known_.find(tensor_of(tensor).unsafeGetTensorImpl());
  if (found != known_.end() && found->second.handle.get() == &handle) {
    Known& known = found->second;
    static_cast<void>(shown(known.handle, helpers().attr("is_parameter")(tensor).cast<bool>()));
    if (lets_go && known.handle.use_count() <= 2 + known.slots)
      known.handle->tensor = at::Tensor();  // Python's alone again; the caller's is the second
    return;
  }
  if (handle.tensor.defined() && !handle.tensor.is_same(tensor_of(tensor))) helpers().attr("take_over")(tensor, object_of(handle.tensor));
}

model::LayerPtr layer_of(const py::handle& module) {
  if (module.is_none() || !py::hasattr(module, "_native")) return nullptr;
  const py::object native = module.attr("_native");
  return py::isinstance<LayerRef>(native) ? native.cast<LayerRef&>().layer.lock() : nullptr;
}

Mirror* current() { return entered; }

Entered::Entered(Mirror& mirror) : before_(std::exchange(entered, &mirror)) {
  const c10::Device device = model::default_device();
  const at::ScalarType dtype = model::to_torch(model::default_dtype());
  if (device.is_cpu() && dtype == at::kFloat) return;
  settings_ = helpers().attr("Settings")(py::cast(device),
                                         py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(torch::getTHPDtype(dtype))));
  settings_.attr("__enter__")();
}

Entered::~Entered() {
  entered = before_;
  if (settings_) settings_.attr("__exit__")(py::none(), py::none(), py::none());
}

}  // namespace reloadlab::python
