#include "tests/mutants/around.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <c10/core/StreamGuard.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <vector>

#include "tests/mutants/plain_reloader.h"

namespace reloadlab::mutants {
namespace {

// What a mutant keeps between calls.
struct Kept {
  int rank = 0, updates = 0;
  c10::Device device = at::kCPU;  // where the weights are
  std::map<std::string, at::Tensor> contents;
  std::vector<model::ParameterPtr> handles;
  std::vector<model::LayerPtr> layers;
  at::Tensor scratch;
};
using Spoil = void (*)(model::Model& model, Kept& kept);

template <class Fn>
void each_tensor(model::Model& model, Fn&& fn) {
  for (const model::LayerPtr& layer : model.layers())
    model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
      if (slot.handle && slot.handle->tensor.defined() && !slot.handle->tensor.is_meta()) fn(*layer, slot);
    });
}

bool is_scale(const model::Slot& slot) { return slot.name.find("scale") != std::string::npos; }

// Of the model that is there before the first update.
void remember_scales(model::Model& model, Kept& kept) {
  each_tensor(model, [&](model::Layer& layer, const model::Slot& slot) {
    if (is_scale(slot)) kept.contents.try_emplace(layer.path() + "." + slot.name, slot.handle->tensor.clone());
  });
}

void put_scales_back(model::Model& model, Kept& kept) {
  each_tensor(model, [&](model::Layer& layer, const model::Slot& slot) {
    const auto old = kept.contents.find(layer.path() + "." + slot.name);
    if (old != kept.contents.end() && old->second.sizes() == slot.handle->tensor.sizes()) slot.handle->tensor.copy_(old->second);
  });
}

void move_scales(model::Model& model, Kept&) {
  each_tensor(model, [](model::Layer&, const model::Slot& slot) {
    if (is_scale(slot)) slot.handle->tensor = slot.handle->tensor.clone();
  });
}

void move_weights(model::Model& model, Kept&) {
  each_tensor(model, [](model::Layer&, const model::Slot& slot) {
    if (slot.name == "weight") slot.handle->tensor = slot.handle->tensor.clone();
  });
}

void lose_last_row(model::Model& model, Kept& kept) {
  if (kept.updates < 2) return;
  each_tensor(model, [](model::Layer&, const model::Slot& slot) {
    const at::Tensor& tensor = slot.handle->tensor;
    if (slot.name == "weight" && tensor.dim() > 0 && tensor.size(0) > 0) tensor.select(0, tensor.size(0) - 1).zero_();
  });
}

void drop_attributes(model::Model& model, Kept&) {
  each_tensor(model, [](model::Layer&, const model::Slot& slot) { slot.handle->attributes.clear(); });
}

void leave_flag(model::Model& model, Kept&) { model.flags["weights_are_loading"] = true; }
void leave_hook(model::Model& model, Kept&) {
  if (!model.on_unexpected_name) model.on_unexpected_name = [](std::string_view) { return Status(); };
}
void keep_handle(model::Model&, Kept& kept) { kept.handles.push_back(std::make_shared<model::Parameter>()); }
void keep_layer(model::Model& model, Kept& kept) { kept.layers = {model.layers().front()}; }
void take_scratch(model::Model&, Kept& kept) { kept.scratch = at::empty({1 << 16}, kept.device); }
void drop_scratch(model::Model&, Kept& kept) { kept.scratch.reset(); }
void hold_more(model::Model& model, Kept& kept) {
  if (kept.rank == 0) return;
  model.layers().front()->extra.kernel = [scratch = at::empty({16}, kept.device)](const at::Tensor& input) { return input; };
}
void fail_late(model::Model&, Kept&) { throw std::runtime_error("after everything was done"); }

// What wraps the loaders of placeholders: `inner` is the reference's own.
template <class Fn>
void wrap_loaders(model::Model& model, Fn wrap) {
  for (const model::LayerPtr& layer : model.layers())
    model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
      if (!slot.handle || !slot.handle->loader || !slot.handle->loader->wrapped) return;
      auto loader = std::make_shared<model::Loader>(*slot.handle->loader);
      loader->function = wrap(loader->function);
      slot.handle->loader = std::move(loader);
    });
}

void zero_sources(model::Model& model, Kept&) {
  wrap_loaders(model, [](const model::Loader::Function& inner) {
    return [inner](model::Layer* self, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) {
      const Status status = inner(self, destination, loaded.clone(), args);
      loaded.zero_();
      return status;
    };
  });
}

void double_values(model::Model& model, Kept&) {
  wrap_loaders(model, [](const model::Loader::Function& inner) {
    return [inner](model::Layer* self, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) {
      return inner(self, destination, loaded.is_floating_point() && loaded.element_size() > 1 ? loaded * 2 : loaded, args);
    };
  });
}

void turn_rows(model::Model& model, Kept&) {
  wrap_loaders(model, [](const model::Loader::Function& inner) {
    return [inner](model::Layer* self, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) {
      return inner(self, destination, loaded.dim() == 2 ? loaded.flip(0) : loaded, args);
    };
  });
}

// The copy is made at once, and by a stream that knows nothing of what the current one waits for.
void copy_aside(model::Model& model, Kept&) {
  wrap_loaders(model, [](const model::Loader::Function& inner) {
    return [inner](model::Layer* self, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) {
      if (loaded.is_cpu() || loaded.is_meta()) return inner(self, destination, loaded, args);
      const c10::StreamGuard aside(c10::impl::VirtualGuardImpl(loaded.device().type()).getStreamFromGlobalPool(loaded.device()));
      const at::Tensor copy = loaded.clone();
      const c10::StreamGuard back(aside.original_stream());
      return inner(self, destination, copy, args);
    };
  });
}

struct Behaviour {
  std::string_view name, law, arrival = {};
  Spoil after_record = nullptr, before_prepare = nullptr, after_prepare = nullptr, after_finish = nullptr;
  bool mute = false, forgets_abort = false, skips_second = false, keeps_buffers = false;
  bool hears_no_sleep = false, keeps_nothing = false;
  Spoil after_wake = nullptr;
};

constexpr Behaviour kBehaviours[] = {
    {.name = "scale_of_first", .law = "cold_load_equal", .before_prepare = remember_scales, .after_finish = put_scales_back},
    {.name = "scale_moved", .law = "address_stable", .after_finish = move_scales},
    {.name = "weight_moved", .law = "address_stable", .after_finish = move_weights},
    {.name = "last_row_lost", .law = "cold_load_equal", .after_finish = lose_last_row},
    {.name = "values_doubled", .law = "cold_load_equal", .after_prepare = double_values},
    {.name = "rows_turned", .law = "written_once", .after_prepare = turn_rows},
    {.name = "attributes_lost", .law = "no_residue", .after_finish = drop_attributes},
    {.name = "flag_left", .law = "no_residue", .after_finish = leave_flag},
    {.name = "hook_stays", .law = "no_residue", .after_finish = leave_hook},
    {.name = "sources_zeroed", .law = "no_residue", .after_prepare = zero_sources},
    {.name = "parameter_kept", .law = "no_leak", .after_finish = keep_handle},
    {.name = "model_kept", .law = "no_leak", .after_record = keep_layer},
    {.name = "scratch_taken", .law = "memory_bound", .after_prepare = take_scratch, .after_finish = drop_scratch},
    {.name = "rank_holds_more", .law = "ranks_alike", .after_record = hold_more},
    {.name = "mute", .law = "coverage_reported", .mute = true},
    {.name = "abort_forgotten", .law = "failure_atomic", .forgets_abort = true},
    {.name = "throws_late", .law = "failure_atomic", .after_finish = fail_late},
    {.name = "copies_aside", .law = "ring_happens_before", .arrival = "source: stream, chunk: 1", .after_prepare = copy_aside},
    {.name = "buffers_kept", .law = "cold_load_equal", .arrival = "source: stream, chunk: 1", .keeps_buffers = true},
    {.name = "written_asleep", .law = "failure_atomic", .hears_no_sleep = true},
    {.name = "kept_nothing_asleep", .law = "cold_load_equal", .keeps_nothing = true},
    {.name = "moved_at_wake", .law = "address_stable", .after_wake = move_weights},
    {.name = "second_skipped", .law = "cold_load_equal", .skips_second = true},
};

class AroundReference final : public sim::Reloader {
 public:
  AroundReference(const Behaviour& how, std::unique_ptr<sim::Reloader> inner, int rank) : how_(how), inner_(std::move(inner)) {
    kept_.rank = rank;
  }

  Status record(model::Model& model) override { return then(inner_->record(model), how_.after_record, model); }
  Status before_post_load(model::Model& model) override { return inner_->before_post_load(model); }
  Status prepare(model::Model& model) override {
    each_tensor(model, [&](model::Layer&, const model::Slot& slot) { kept_.device = slot.handle->tensor.device(); });
    if (how_.before_prepare) how_.before_prepare(model, kept_);
    return then(inner_->prepare(model), how_.after_prepare, model);
  }
  Status finish(model::Model& model, const sim::FinishConfig& config) override {
    if (++kept_.updates == 2 && how_.skips_second) return inner_->abort(model);
    return then(inner_->finish(model, config), how_.after_finish, model);
  }
  Status abort(model::Model& model) override { return how_.forgets_abort ? Status() : inner_->abort(model); }
  Status sleep(model::Model& model, bool keeps_contents) override {
    return how_.hears_no_sleep ? Status() : inner_->sleep(model, keeps_contents || how_.keeps_nothing);
  }
  Status wake(model::Model& model) override { return then(inner_->wake(model), how_.after_wake, model); }
  bool unusable() const override { return inner_->unusable(); }

 private:
  Status then(Status status, Spoil spoil, model::Model& model) {
    if (status.ok() && spoil) spoil(model, kept_);
    return status;
  }

  const Behaviour& how_;
  std::unique_ptr<sim::Reloader> inner_;
  Kept kept_;
};

struct System {
  std::string_view prefix, name, profile, law = {};  // behaviours for that law only
};
// The seed reloads a whole model at once, and keeps the formula that is for that, whatever else it breaks.
constexpr System kSystems[] = {
    {"lw_", "layerwise", "hardened"}, {"oq_", "online_quant", "hardened"}, {"oq_whole_", "online_quant", "seed", "memory_bound"}};

struct Named {
  std::string name;
  const System* system;
  const Behaviour* how;
};

const std::vector<Named>& all() {
  static const std::vector<Named> named = [] {
    std::vector<Named> made;
    for (const System& system : kSystems)
      for (const Behaviour& how : kBehaviours)
        if (system.law.empty() || how.law == system.law) made.push_back({fmt::format("{}{}", system.prefix, how.name), &system, &how});
    return made;
  }();
  return named;
}

}  // namespace

std::span<const Around> around_mutants() {
  static const std::vector<Around> rows = [] {
    std::vector<Around> made;
    for (const Named& one : all()) made.push_back({one.name, one.system->name, one.system->profile, one.how->law, one.how->arrival});
    return made;
  }();
  return rows;
}

Result<sim::CandidateInfo> make_around(std::string_view name) {
  const auto found = std::ranges::find(all(), name, &Named::name);
  if (found == all().end()) return Status(Code::usage, "no mutant is called \"" + std::string(name) + "\"");
  RELOADLAB_ASSIGN(sim::CandidateInfo info, sim::find_candidate(fmt::format("{}@{}", found->system->name, found->system->profile)));
  info.name = "mutant@" + found->name;
  info.make_reloader = [how = found->how,
                        make = info.make_reloader](sim::CandidateContext context) -> Result<std::unique_ptr<sim::Reloader>> {
    if (how->mute) context.observer = nullptr;
    if (how->keeps_buffers) context.transport_reuses_buffers = false;
    RELOADLAB_ASSIGN(std::unique_ptr<sim::Reloader> inner, make(context));
    return std::unique_ptr<sim::Reloader>(std::make_unique<AroundReference>(*how, std::move(inner), context.rank));
  };
  return info;
}

}  // namespace reloadlab::mutants
