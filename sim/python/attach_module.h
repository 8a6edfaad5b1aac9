#pragma once
// attach, watch and merge, for Python.
#include <pybind11/pybind11.h>

namespace reloadlab::sim {

void add_attach(pybind11::module_& module);

}  // namespace reloadlab::sim
