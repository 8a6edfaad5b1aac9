#pragma once
#include <pybind11/pybind11.h>

namespace reloadlab::sim {

// Adds the class Gate, what the pytest plug-in asks (pytest_reloadlab.py).
void add_gate(pybind11::module_& module);

}  // namespace reloadlab::sim
