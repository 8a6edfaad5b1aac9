#pragma once
// The Python half of the bridge: reloadlab/bridge.py.
#include "sim/python/torch_python.h"

namespace reloadlab::python {

// Kept for the life of the process.
inline const py::object& helpers() {
  static const py::object* const module = new py::object(py::module_::import("reloadlab.bridge"));
  return *module;
}

}  // namespace reloadlab::python
