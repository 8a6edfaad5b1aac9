#include "sim/replay/beside.h"

namespace reloadlab::sim {
namespace {

Follow follow_by = nullptr;

}  // namespace

void follow_models_by(Follow follow) { follow_by = follow; }

void let_follow(model::Model& model) {
  if (follow_by && model.beside) follow_by(model);
}

}  // namespace reloadlab::sim
