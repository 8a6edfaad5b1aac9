#pragma once
// What shows models to another language (model::Model::beside) holds tensors of its own accord. Before memory is counted it is told to
// see what the harness has done to the model meanwhile, so that what the model has lost is gone there, too.
#include "reference/model/layer.h"

namespace reloadlab::sim {

using Follow = void (*)(model::Model&);
// For the process, before anything is played.
void follow_models_by(Follow follow);
void let_follow(model::Model& model);

}  // namespace reloadlab::sim
