#include "sim/replay/forward.h"

#include <algorithm>

#include "reference/model/architecture/forward.h"
#include "reference/model/guard.h"

namespace reloadlab::sim {
namespace {

constexpr uint64_t input_seed = 1;  // inputs are the same in every execution, so outputs can be compared

// What is computed from a placeholder is on meta too, or what memory happens to hold: some kernels take the device of another operand.
bool left_on_placeholders(const model::Model& model) {
  bool any = false;
  for (const model::LayerPtr& layer : model.layers())
    model::for_each_tensor(
        *layer, [&](const model::Slot& slot, bool) { any = any || (slot.handle->tensor.defined() && slot.handle->tensor.is_meta()); });
  return any;
}

// From helpers that a step derived of placeholders, and that are in no slot.
bool is_on_meta(const model::ForwardOutput& output) {
  return std::ranges::any_of(output.ranks, [](const at::Tensor& tensor) { return tensor.is_meta(); });
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
  const bool says_something = status.ok() && std::ranges::none_of(outputs, is_on_meta) &&
                              std::ranges::none_of(models, [](const model::Model* model) { return left_on_placeholders(*model); });
  for (size_t rank = 0; rank < sessions.size(); ++rank) {
    const at::Tensor joined = says_something ? model::joined(outputs, rank) : at::Tensor();
    sessions[rank]->note_forward(number, status, joined.defined() ? &joined : nullptr);
  }
}

}  // namespace reloadlab::sim
