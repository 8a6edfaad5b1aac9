#pragma once
// The two roles, played by instances of Python classes.
#include "sim/python/find.h"

namespace reloadlab::python {

// Both without the GIL.
Result<std::unique_ptr<sim::Reloader>> make_reloader(const py::object& type, const Context& context);
Result<std::unique_ptr<sim::WeightSeries>> make_series(const py::object& type, const Context& context, const model::SeriesContext& series);

}  // namespace reloadlab::python
