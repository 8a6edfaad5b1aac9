#pragma once
// Calls into Python, and errors on their way in both directions.
#include <c10/util/FunctionRef.h>

#include "sim/python/mirror.h"

namespace reloadlab::python {

// Runs fn, which calls Python code of a candidate, between show() and read(), with the GIL. An exception that the candidate's class names
// in `errors` is its way to refuse, and comes back as a Status; any other is thrown on, as a std::exception with where it came from.
Status call(Mirror& mirror, c10::function_ref<void()> fn);
// The same where it is given no model.
Status call(const py::object& candidate, c10::function_ref<void()> fn);

// For what Python code calls: a failure becomes a Python exception, LoadError and the like (reloadlab/errors.py). What is thrown through
// Python frames and is no matter of theirs is kept, and thrown on where the call came from.
void raise(const Status& failure);
Status run_for_python(c10::function_ref<Status()> fn);

}  // namespace reloadlab::python
