#pragma once
// Loaders on both sides: one of the substrate's is a real Python function with names for its arguments, or a method bound to its module;
// what a candidate puts in its place is a Loader that calls it.
#include "sim/python/mirror.h"

namespace reloadlab::python {

// What stands behind a Python function of ours.
struct NativeLoader {
  model::LoaderPtr loader;
  void operator()(const py::object& module, const py::object& parameter, const at::Tensor& loaded, const std::optional<std::string>& shard,
                  const std::optional<int64_t>& expert, const std::optional<std::string>& part) const;
};

py::object shown_loader(const model::LoaderPtr& loader, const Mirror& mirror);
model::LoaderPtr read_loader(const py::object& callable, const std::weak_ptr<Mirror>& mirror);

}  // namespace reloadlab::python
