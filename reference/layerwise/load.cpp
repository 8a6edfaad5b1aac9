#include "reference/layerwise/load.h"

#include <fmt/format.h>

#include "reference/layerwise/declared.h"
#include "reference/layerwise/landing.h"
#include "reference/layerwise/memory.h"
#include "reference/layerwise/process.h"

namespace reloadlab::layerwise {
namespace {

using model::EngineEventKind;

constexpr std::string_view wrapper_name = "online_process_loader";

struct Wrapper {
  std::shared_ptr<Core> core;
  std::shared_ptr<Update> update;
  Group* group;  // the update's
  size_t member;
  std::string slot;
  model::LoaderPtr original;
  model::LayerPtr layer;  // lifetime=registry only

  Status operator()(model::Layer*, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) const {
    const LoadCall call{*group, member, slot, loaded, args};
    if (core->closed) return Status(Code::misuse, fmt::format("load of {}.{}: the reload is gone", call.layer().path(), slot));
    if (!update->open || group->state != Group::State::armed) return late_load(*core, call);
    return take_load(*core, *update, call, *original, destination);
  }
};

bool copies(const Core& core) { return core.policy.buffering == Buffering::owned && core.options.transport_reuses_buffers; }

at::Tensor keep(const Core& core, const at::Tensor& loaded) { return copies(core) ? loaded.clone() : loaded; }

// A reference keeps all of the memory that the tensor lies in, and where others lie there too counts it for each of them.
int64_t buffer_bytes(const Core& core, const at::Tensor& loaded) {
  return static_cast<int64_t>(copies(core) ? loaded.nbytes() : loaded.storage().nbytes());
}

// Runs the loader on a placeholder of a sealed record. It has to leave the handle on the storage that it got: what it did to another
// one would be lost. set_() is refused when it is called; `.data =` is seen here.
Status run_sealed(const model::Loader& loader, model::Parameter& destination, const LoadCall& call) {
  const at::Tensor tensor = destination.tensor;
  const c10::Storage storage = tensor.storage();
  Status status = loader(destination, call.loaded, call.args);
  const bool same = destination.tensor.is_same(tensor) && tensor.storage().is_alias_of(storage);
  if (same) return status;
  const RecordedSlot* recorded = call.layer().record->find(call.slot);
  if (recorded && recorded->tensor) destination.tensor = recorded->tensor->fresh()->tensor;
  return Status(Code::rejected, fmt::format("load of {}.{}: the loader gave the handle another storage (.data =); it has to write into the "
                                            "one that is there",
                                            call.layer().path(), call.slot));
}

Result<Counted> count_load(const Core& core, const LoadCall& call, const model::Loader& loader, model::Parameter& destination) {
  if (!destination.tensor.is_meta())
    return Status(Code::failed, fmt::format("load of {}.{}: the destination is not a placeholder", call.layer().path(), call.slot));
  if (loader.nameless && core.policy.records == Records::lent)
    return Status(Code::failed, fmt::format("load of {}.{}: the loader has no argument called param", call.layer().path(), call.slot));
  return call.group.progress->count([&] {
    return core.policy.records == Records::sealed ? run_sealed(loader, destination, call) : loader(destination, call.loaded, call.args);
  });
}

// By the loader's word, if it has given it; null where it has to be called.
std::optional<Result<Counted>> count_declared(const Core& core, const LoadCall& call, const model::Loader& loader,
                                              const model::Parameter& destination) {
  if (core.policy.boxes == Boxes::called || !destination.tensor.is_meta()) return std::nullopt;
  const DeclaredBoxes* declared = declared_boxes(call, loader, destination.tensor);
  if (!declared) return std::nullopt;
  std::vector<Write> writes;
  for (const DeclaredBox& box : declared->boxes) writes.push_back({core.tracker.find(box.to), box.footprint, false});
  Result<Counted> counted = call.group.progress->count_known(writes);
  if (!counted.ok()) return counted;
  for (const DeclaredBox& box : declared->boxes) counted->copies.push_back({box.to, part_of(box, call.loaded)});
  return counted;
}

Result<Counted> count_or_take_its_word(const Core& core, const LoadCall& call, const model::Loader& loader, model::Parameter& destination) {
  std::optional<Result<Counted>> known = count_declared(core, call, loader, destination);
  return known ? *std::move(known) : count_load(core, call, loader, destination);
}

// `copies`: the load lands.
Status admit(Core& core, Update& update, const LoadCall& call, const Counted& counted, const PlainCopies* copies) {
  Group& group = call.group;
  const std::string& path = call.layer().path();
  core.tell(EngineEventKind::load_counted, path, call.slot, counted.fresh);
  if (counted.repeated > 0)
    RELOADLAB_TRY(core.cover(core.policy.excess, EngineEventKind::excess, path, call.slot, counted.repeated, "already there"));
  if (copies) RELOADLAB_TRY(land_load(core, update, call, *copies, counted.repeated > 0));
  const bool last = group.progress->would_complete() && !group.deferred;
  if (!last || core.policy.failed_load == FailedLoad::keep) group.progress->credit();
  if (!last) return {};
  if (core.options.extra_bytes_limit && !landed_whole(group)) RELOADLAB_TRY(stays_in_limit(core, update, processing_bytes(core, group)));
  return process(core, update, group, OwnStep::apart);
}

bool is_declined(const Counted& counted) { return counted.fresh + counted.repeated == 0; }

// A load after the layer was processed may bring only elements that came before: anything else would be lost. Gives what it counted.
Result<Counted> only_repeats(const LoadCall& call) {
  const RecordedSlot* recorded = call.layer().record->find(call.slot);
  model::LayerPtr layer = call.layer().layer.lock();
  if (!recorded || !recorded->tensor || !layer) return Status(Code::misuse, "load of a tensor that was never recorded");
  const model::ParameterPtr placeholder = recorded->tensor->fresh();
  const model::LoaderPtr loader = unwrapped(placeholder->loader);
  Result<Counted> counted = call.group.progress->count([&] { return loader->function(layer.get(), *placeholder, call.loaded, call.args); });
  if (!counted.ok() || counted->fresh == 0) return counted;
  return Status(Code::rejected, fmt::format("load of {}.{}: the layer is complete, and {} elements of this load never came before",
                                            call.layer().path(), call.slot, counted->fresh));
}

}  // namespace

// Under failed_load=keep the buffered entry stays whatever happens after it was made.
Status take_load(Core& core, Update& update, const LoadCall& call, const model::Loader& loader, model::Parameter& destination) {
  const NoGradients none;
  if (update.broken) return Status(Code::rejected, "the update failed between two copies back and can only be abandoned");
  Group& group = call.group;
  const int64_t bytes = buffer_bytes(core, call.loaded);
  if (core.options.extra_bytes_limit) RELOADLAB_TRY(stays_in_limit(core, update, bytes + (copies(core) ? copying_bytes(call.loaded) : 0)));
  const bool asks_first = core.policy.declined == Declined::drop;
  Result<Counted> counted = asks_first ? count_or_take_its_word(core, call, loader, destination) : Counted();
  if (asks_first && (!counted.ok() || is_declined(*counted))) return counted.status();
  PlainCopies copies = asks_first ? landing_copies(core, call, *counted) : PlainCopies();
  if (may_land(core, group, copies)) return admit(core, update, call, *counted, &copies);
  const bool again = asks_first && counted->repeated > 0;
  group.loads.push_back({call.member, call.slot, keep(core, call.loaded), call.args, std::move(copies), again});
  group.buffered_bytes += bytes;
  if (!asks_first) counted = count_load(core, call, loader, destination);
  Status status = counted.ok() ? admit(core, update, call, *counted, nullptr) : counted.status();
  if (status.ok() || core.policy.failed_load == FailedLoad::keep) return status;
  group.loads.pop_back();
  group.buffered_bytes -= bytes;
  return status;
}

void wrap(Core& core, const std::shared_ptr<Update>& update, Group& group, size_t member, const std::string& slot,
          const model::LayerPtr& layer, const model::ParameterPtr& handle) {
  if (is_wrapped(*handle)) return;
  model::LoaderPtr original = handle->loader ? handle->loader : model::default_weight_loader();
  const bool keeps_layer = core.policy.lifetime == Lifetime::registry;
  Wrapper wrapper{core.shared_from_this(), update, &group, member, slot, original, keeps_layer ? layer : nullptr};
  handle->loader = std::make_shared<const model::Loader>(
      model::Loader{.name = std::string(wrapper_name), .function = std::move(wrapper), .wrapped = std::move(original)});
  if (keeps_layer) core.wrapped.push_back(handle);
}

bool is_wrapped(const model::Parameter& handle) { return handle.loader && handle.loader->name == wrapper_name; }

model::LoaderPtr unwrapped(const model::LoaderPtr& loader) {
  model::LoaderPtr inner = loader ? loader : model::default_weight_loader();
  while (inner->name == wrapper_name) inner = inner->wrapped;
  return inner;
}

Status late_load(Core& core, const LoadCall& call) {
  const std::string& path = call.layer().path();
  const bool committed = core.open_update() && call.group.state == Group::State::committed;
  if (core.policy.misuse == Misuse::error && !committed)
    return Status(Code::misuse, fmt::format("load of {}.{}: the handle was taken in an update that has ended", path, call.slot));
  if (core.policy.completion == Completion::elements) {
    const Result<Counted> counted = only_repeats(call);
    if (!counted.ok()) return counted.status();
    if (counted->repeated == 0) return {};  // a shard of which this rank takes nothing
  }
  core.tell(EngineEventKind::load_dropped, path, call.slot, call.loaded.numel());
  return core.cover(core.policy.excess, EngineEventKind::excess, path, call.slot, call.loaded.numel(), "the layer is complete");
}

}  // namespace reloadlab::layerwise
