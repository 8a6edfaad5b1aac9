#pragma once
// The two roles, played by instances of Python classes.
#include "sim/python/find.h"
#include "sim/python/instance.h"

namespace reloadlab::python {

std::unique_ptr<sim::Reloader> make_reloader(const Class& type, const Context& context);
std::unique_ptr<sim::WeightSeries> make_series(const Class& type, const Context& context, const model::SeriesContext& series);

}  // namespace reloadlab::python
