#include "sim/replay/forward.h"

#include "reference/model/architecture/forward.h"
#include "reference/model/guard.h"

namespace reloadlab::sim {
namespace {

constexpr uint64_t input_seed = 1;  // inputs are the same in every execution, so outputs can be compared

// Undefined for a model that was left on placeholders, of which some kernels for meta join nothing.
at::Tensor joined_output(const std::vector<model::ForwardOutput>& outputs, size_t rank) {
  at::Tensor joined;
  const Status status = model::guarded([&] { return joined = model::joined(outputs, rank), Status(); });
  return status.ok() ? joined : at::Tensor();
}

}  // namespace

void run_forward(const Stage& stage, const std::vector<std::unique_ptr<RankSession>>& sessions, int number) {
  std::vector<model::Model*> models;
  for (const auto& session : sessions)
    if (model::Model* usable = session->usable_model()) models.push_back(usable);
  if (models.size() != sessions.size() || !stage.world.has_bytes()) {
    for (const auto& session : sessions) session->note_forward(number, Status(Code::failed, "the model may not be used"), nullptr);
    return;
  }
  AccountScope nobody(nullptr);
  std::vector<model::ForwardOutput> outputs;
  const Status status = model::guarded([&] {
    outputs = model::run_forward(models, input_seed, [&](std::vector<at::Tensor> partials) { return stage.world.sum(partials); });
    return Status();
  });
  for (size_t rank = 0; rank < sessions.size(); ++rank) {
    const at::Tensor joined = status.ok() ? joined_output(outputs, rank) : at::Tensor();
    sessions[rank]->note_forward(number, status, joined.defined() ? &joined : nullptr);
  }
}

}  // namespace reloadlab::sim
