#pragma once
// Every layer kind, one function each: registry.cpp lists them.
#include "reference/model/kind.h"

namespace reloadlab::model {

const LayerKind& column_parallel_linear();

}  // namespace reloadlab::model
