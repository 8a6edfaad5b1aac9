#pragma once
// Gates: under misuse=error the live handles' loaders are asked through a gate, from record on, so that a load at the wrong time
// comes back as Code::misuse and not as bytes in a kernel tensor. A gate looks like the loader behind it: same name, same binding.
//
//   first load          straight through; what the loader writes is learned (record.h, loadable)
//   no update is open   misuse: a load before begin
//   the layer is armed  misuse: the handle was taken before begin; a skipped tensor stands there itself, and its load is buffered
//   it is committed     excess: the handle is the current one again
#include "reference/model/layer.h"

namespace reloadlab::layerwise {

struct Core;

void install_gates(Core& core, model::Model& model);
void install_gates(Core& core, const model::LayerPtr& layer);  // REQUIRES a recorded layer
// Whether somebody has put a loader of his own before the gate since: the record would bring back the one behind it.
bool is_taken_over(const model::LoaderPtr& loader);
// The loader behind a gate; any other loader as it is.
model::LoaderPtr ungated(const model::LoaderPtr& loader);

}  // namespace reloadlab::layerwise
