#pragma once
// What a candidate has put around a layer: another post-load step on its quantization-method object, another forward on its module.
#include "reference/model/post_load.h"
#include "sim/python/mirror.h"

namespace reloadlab::python {

// The step that stands on the Python object now. `own` is what the substrate gave the layer, and answers everything else.
std::shared_ptr<model::QuantMethod> taken_step(std::shared_ptr<model::QuantMethod> own, const std::weak_ptr<Mirror>& mirror);
// Calls the module's forward, from within which the layer's own is called. Code::failed where that never happens.
std::function<Status(model::Layer&, const std::function<Status()>& forward)> taken_forward(const std::weak_ptr<Mirror>& mirror);

}  // namespace reloadlab::python
