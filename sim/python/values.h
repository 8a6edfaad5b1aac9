#pragma once
// Attributes of parameters on both sides. Of what Python hangs on a tensor only plain values are attributes; names with an underscore
// before them are its own, and the loader is kept apart.
#include "reference/base/scalar.h"
#include "sim/python/torch_python.h"

namespace reloadlab::python {

py::object shown_value(const Value& value);
Values read_values(const py::dict& attributes);

}  // namespace reloadlab::python
