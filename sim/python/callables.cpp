#include "sim/python/callables.h"

#include "sim/python/calls.h"
#include "sim/python/helpers.h"

namespace reloadlab::python {
namespace {

// What stands behind a function of ours; null: it is none.
model::LoaderPtr native_of(const py::handle& function) {
  if (!PyFunction_Check(function.ptr())) return nullptr;
  const py::object native = helpers().attr("native_of")(function);
  return py::isinstance<NativeLoader>(native) ? native.cast<NativeLoader&>().loader : nullptr;
}

// One that a candidate has hung on a parameter. It is looked up there as it is called: nothing here keeps it, or what it keeps.
Status call_hung(const std::weak_ptr<Mirror>& weak, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) {
  const std::shared_ptr<Mirror> mirror = weak.lock();
  if (!mirror) return Status(Code::misuse, "a loader of a model that is gone");
  const Gil gil;
  const py::object parameter = mirror->object_for(destination);
  if (parameter.is_none()) return Status(Code::misuse, "a load into a tensor that is gone");
  return call(*mirror, [&] {
    py::dict named;
    if (args.shard) named["shard_id"] = *args.shard;
    if (args.expert) named["expert_id"] = *args.expert;
    if (args.part) named["part"] = *args.part;
    parameter.attr("weight_loader")(parameter, object_of(loaded), **named);
  });
}

// `ours`: a function of the substrate, bound to what it is no method of, which wraps nothing.
model::LoaderPtr hung_loader(const py::object& callable, const std::weak_ptr<Mirror>& mirror, bool ours = false) {
  const py::object inner = py::getattr(callable, "__wrapped__", py::none());
  model::Loader loader{.name = helpers().attr("name_of_callable")(callable).cast<std::string>()};
  loader.function = [mirror](model::Layer*, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) {
    return call_hung(mirror, destination, loaded, args);
  };
  if (!ours) loader.wrapped = inner.is_none() ? model::default_weight_loader() : read_loader(inner, mirror);
  return std::make_shared<const model::Loader>(std::move(loader));
}

}  // namespace

void NativeLoader::operator()(const py::object& module, const py::object& parameter, const at::Tensor& loaded,
                              const std::optional<std::string>& shard, const std::optional<int64_t>& expert,
                              const std::optional<std::string>& part) const {
  Mirror* const mirror = current();
  if (!mirror) return raise(Status(Code::misuse, "a loader of the model was called while no call of the harness is under way"));
  const model::LayerPtr layer = layer_of(module);
  if (loader->is_method && !layer) return raise(Status(Code::misuse, "weight_loader is a method, and what it is called on is no layer"));
  raise(run_for_python([&] {
    const auto load = [&] {
      const model::ParameterPtr handle = mirror->handle_of(parameter);
      Status status = (*model::bind_loader(loader, layer))(*handle, loaded, {shard, expert, part});
      mirror->show_handle(parameter, *handle);
      return status;
    };
    return layer ? mirror->substrate(load) : load();
  }));
}

py::object shown_loader(const model::LoaderPtr& loader, const Mirror& mirror) {
  if (loader == model::default_weight_loader()) return helpers().attr("default_weight_loader");
  const model::LoaderPtr unbound = loader->is_method ? model::unbind_loader(loader) : loader;
  py::object function = helpers().attr("make_loader")(py::cast(NativeLoader{unbound}), loader->name, loader->is_method);
  if (!loader->is_method) return function;
  const model::LayerPtr layer = loader->self.lock();
  return layer ? helpers().attr("bind")(function, mirror.module_of(*layer)) : function;
}

model::LoaderPtr read_loader(const py::object& callable, const std::weak_ptr<Mirror>& mirror) {
  if (callable.is(helpers().attr("default_weight_loader"))) return model::default_weight_loader();
  if (const model::LoaderPtr native = native_of(callable)) return native;
  if (PyMethod_Check(callable.ptr()))
    if (const model::LoaderPtr native = native_of(PyMethod_GET_FUNCTION(callable.ptr())))
      return native->is_method ? model::bind_loader(native, layer_of(PyMethod_GET_SELF(callable.ptr())))
                               : hung_loader(callable, mirror, true);
  return hung_loader(callable, mirror);
}

}  // namespace reloadlab::python
