#include "sim/replay/session.h"

#include <c10/core/DeviceGuard.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "reference/base/check.h"
#include "reference/model/device.h"
#include "reference/model/guard.h"
#include "sim/replay/beside.h"
#include "sim/replay/made.h"
#include "sim/replay/plan.h"
#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace {

// It makes its tensors in prepare; others make placeholders, which are shapes and nothing else.
bool restores_whole_model(const CandidateInfo* candidate) { return candidate && PlanPolicies::declared(candidate->declared).whole_model; }

bool reloads_layerwise(const std::vector<Step>& steps) {
  return std::ranges::any_of(steps, [](const Step& step) {
    return (step.kind == StepKind::reload && step.via == Via::layerwise) || reloads_layerwise(step.body);
  });
}

// An engine whose weights are only ever reloaded by way of their series records nothing.
bool is_recorded(const Case& the_case) { return the_case.series.empty() || reloads_layerwise(the_case.steps); }

// The harness's own reading: a sleep that was to be refused may have gone through.
bool reads_model(StepKind kind) {
  return kind == StepKind::pass || kind == StepKind::capture || kind == StepKind::replay || kind == StepKind::update_owner;
}

size_t at(int index) { return static_cast<size_t>(index); }

}  // namespace

RankSession::RankSession(const Stage& stage, int rank, RankRun& run, int model)
    : stage_(stage),
      rank_(rank),
      model_number_(model),
      run_(run),
      account_(stage.world.account(rank)),
      pool_(stage.the_case.sleeps() ? stage.world.weight_pool(rank) : nullptr),
      watch_(stage.catalogue, run),
      census_(stage.blobs) {
  if (stage.keep_allocations)
    account_->on_change = [this](int64_t bytes, int64_t serial) {
      watch_.event(bytes > 0 ? EventKind::alloc : EventKind::free, -1, std::abs(bytes), {}, serial);
    };
  if (stage.on_event) watch_.on_event = [this](const Event& event) { stage_.on_event(rank_, model_number_, event); };
}

RankSession::~RankSession() { account_->on_change = nullptr; }

Status RankSession::construct() {
  model::DeviceScope device(stage_.world.device(rank_));
  {
    const PoolScope pool(pool_);
    model_ = model::build_model(stage_.the_case.model, stage_.the_case.parallel(rank_));
  }
  layers_.assign(at(stage_.catalogue.layer_count()), nullptr);
  for (const model::LayerPtr& layer : model_->layers()) layers_[at(stage_.catalogue.find_layer(layer->path()))] = layer.get();
  if (!stage_.candidate) return {};
  CandidateContext context{.observer = &watch_,
                           .rank = rank_,
                           .ranks = stage_.world.ranks(),
                           .transport_reuses_buffers = reuses_buffers(),
                           .extra_bytes_limit = stage_.the_case.limits.extra_bytes};
  if (stage_.candidate->make_reloader) {
    RELOADLAB_ASSIGN(reloader_, made([&] { return stage_.candidate->make_reloader(context); }));
  }
  begin_outcome(-1);
  const Record when = reloader_ && is_recorded(stage_.the_case) ? stage_.the_case.record : Record::never;
  Status status = when == Record::after_construction ? record() : Status();
  if (status.ok() && !stage_.the_case.series.empty()) status = make_series(context);
  if (status.ok() && when == Record::after_registration) status = record();
  end_outcome(std::move(status));
  return {};
}

Status RankSession::make_series(const CandidateContext& context) {
  RELOADLAB_CHECK(stage_.world.devices(), "series in a world without devices");
  series_ = std::make_unique<SeriesPlayer>(SeriesPlayer::Scene{.the_case = stage_.the_case,
                                                               .catalogue = stage_.catalogue,
                                                               .world = stage_.world,
                                                               .rank = rank_,
                                                               .model_number = model_number_,
                                                               .model = *model_,
                                                               .watch = watch_,
                                                               .run = run_,
                                                               .supervised = [this](const auto& call) { return supervised(call); },
                                                               .processed = stage_.processed});
  return series_->make(*stage_.candidate, context);
}

Status RankSession::record() {
  watch_.event(EventKind::record);
  return supervised([&] { return reloader_->record(*model_); });
}

void RankSession::begin_outcome(int number) {
  outcome_ = {};
  update_seen_ = update_open_;
  outcome_.step = number;
  if (model_) let_follow(*model_);
  account_->restart_peak();
}

void RankSession::end_outcome(Status status, std::optional<StepKind> kind) {
  if (model_) let_follow(*model_);
  outcome_.status = std::move(status);
  if (update_seen_) {
    outcome_.extra_bytes_peak = account_->peak_bytes() - baseline_bytes_;
    outcome_.extra_bytes_after = account_->live_bytes() - baseline_bytes_;
  }
  if (asleep_) look_for_touches();
  outcome_.unusable = says_unusable();
  count_living(outcome_);
  outcome_.peak_bytes = account_->peak_bytes();
  const Copied copied = watch_.take_copies();
  outcome_.copies = copied.copies, outcome_.copied_bytes = copied.bytes;
  // To look at bytes makes the host wait for its device: with series it would take away the very order that is judged.
  const bool waits = series_ && outcome_.step >= 0;
  if (!waits || kind == StepKind::load) take_census(outcome_.step, !waits && !asleep_);
  run_.outcomes.push_back(std::move(outcome_));
}

void RankSession::take_census(int step, bool bytes) {
  AccountScope nobody(nullptr);
  const c10::DeviceGuard device(stage_.world.device(rank_));
  if (!model_) return;
  const bool there = stage_.world.has_bytes() || !stage_.world.devices();
  Census census = census_.take(*model_, process_tables_, step, bytes && there);
  if (series_) {
    // What moves from window to window is looked at where it is read, and so is what a kernel object holds of it; and the last step may
    // be the first load.
    std::set<int64_t> windows;
    for (const CensusEntry& entry : census.entries)
      if (entry.storage >= 0 && stage_.the_case.in_window(entry.path, rank_)) windows.insert(entry.storage);
    std::erase_if(census.entries, [&](const CensusEntry& entry) {
      return windows.contains(entry.storage) || stage_.the_case.in_window(entry.path, rank_);
    });
    std::erase_if(run_.censuses, [&](const Census& before) { return before.step == step; });
  }
  run_.censuses.push_back(std::move(census));
}

void RankSession::collect(const std::function<void(int model, int rank, size_t read, const at::Tensor& copy)>& on_copy) {
  if (!series_) return;
  series_->collect([&](size_t read, const at::Tensor& here) {
    if (on_copy) on_copy(model_number_, rank_, read, here);
    return stage_.blobs.keep(stage_.world.devices()->bytes_now(here));
  });
  if (run_.outcomes.empty() || run_.outcomes.back().step < 0) return;
  if (!model_) recount();  // other ranks' models, which are counted with it, may have gone later
  try {
    take_census(run_.outcomes.back().step, !asleep_);
  } catch (const c10::Error&) {  // NOLINT(bugprone-empty-catch): where something waits for ever there is no last state
  }
}

void RankSession::count_living(StepOutcome& outcome) const {
  outcome.live_layers = stage_.layers.live_count();
  outcome.live_parameters = stage_.parameters.live_count();
  outcome.live_allocations = account_->live_allocations();
  outcome.live_bytes = account_->live_bytes();
}

void RankSession::recount() { count_living(run_.outcomes.back()); }

Status RankSession::run_step(int number, const Step& step) {
  watch_.at_step(number, step.fault);
  if (series_) series_->at_step(number, step);
  default_dtype_ = step.default_dtype;
  begin_outcome(number);
  watch_.event(EventKind::step_begin);
  say("the", std::string(spell(step_spellings, step.kind)));
  Status status = act(step);
  const bool fills = step.kind == StepKind::load || step.kind == StepKind::reload || step.kind == StepKind::reset;
  if (series_ && fills && status.ok()) series_->say_where_weights_lie();
  watch_.event(EventKind::step_end, -1, 0, status.message());
  end_outcome(std::move(status), step.kind);
  return harness_error_;
}

Status RankSession::act(const Step& step) {
  if (!model_) return Status(Code::misuse, "the model has been destroyed");
  if (asleep_ && reads_model(step.kind)) return Status(Code::failed, "the model sleeps");
  switch (step.kind) {
    case StepKind::load:
      return load_first(step);
    case StepKind::reload:
    case StepKind::retry:
      return reload(step);
    case StepKind::prepare:
      return prepare(step);
    case StepKind::loads:
      return loads(step);
    case StepKind::finish:
      return finish();
    case StepKind::abort:
      return abort();
    case StepKind::destroy:
      destroy();
      return {};
    case StepKind::pass:
      return series_->pass(step);
    case StepKind::update_owner:
      return series_->update_owner(step);
    case StepKind::drain:
      return series_->drain();
    case StepKind::reset:
      return series_->reset();
    case StepKind::capture:
      return series_ ? series_->capture(step) : capture(step);
    case StepKind::replay:
      return series_ ? series_->replay() : replay(step);
    case StepKind::host_sync:
      return series_->host_sync();
    case StepKind::sleep:
      return sleep(step);
    case StepKind::wake:
      return wake();
    case StepKind::forward:
    case StepKind::repeat:
      break;
  }
  RELOADLAB_CHECK(false, "forward is run for all ranks together, repeat is unrolled");
}

bool RankSession::meta_is_device() const { return !stage_.world.has_bytes() && !stage_.world.devices(); }

// The load that an engine does once, before it serves: the parameters' own loaders, then post-load processing.
Status RankSession::load_first(const Step& step) {
  RELOADLAB_TRY(step.plan.direct ? write_straight(step.plan)
                                 : deliver(step.plan, std::nullopt, *stage_.checkpoints.at(step.plan.checkpoint)));
  // What the step makes here an update may replace: on meta both are counted, or the second would seem to be kept.
  MetaScope counted(*account_, meta_is_device());
  Status status = supervised([&]() -> Status {
    if (reloader_) RELOADLAB_TRY(reloader_->before_post_load(*model_));
    if (series_) RELOADLAB_TRY(series_->finish_loading());
    return model::guarded([&] { return model::process_model_after_loading(*model_); });
  });
  filling_ = false;
  return status;
}

Status RankSession::reload(const Step& step) {
  if (series_ && step.via == Via::series) return series_->reload(step, [&](const Step& own) { return loads(own); });
  Status status = prepare(step);
  if (status.ok()) status = loads(step);
  if (status.ok() && step.abort_after) return abort();
  if (status.ok()) return finish();
  return abandon(status);
}

// What an engine does with a failed update, whose own failure is the step's outcome. How the abort went is in the trace; what it threw
// comes along.
Status RankSession::abandon(const Status& status) {
  const bool crashed = std::exchange(outcome_.crashed, false);
  const Status abandoned = abort();
  const bool threw = std::exchange(outcome_.crashed, crashed || outcome_.crashed);
  if (abandoned.ok()) return status;
  return status.within(threw ? fmt::format("not abandoned ({})", abandoned.message()) : std::string("not abandoned"));
}

Status RankSession::prepare(const Step& step) {
  if (!update_open_) {
    update_open_ = update_seen_ = true;
    baseline_bytes_ = account_->live_bytes();
    AccountScope nobody(nullptr);
    watch_.remember_kernels(*model_);
  }
  if (step.plan.resolve == LoadPlan::Resolve::before_prepare) resolve_all();
  MetaScope counted(*account_, meta_is_device() && restores_whole_model(stage_.candidate));
  watch_.event(EventKind::prepare_begin);
  Status status = supervised([&] { return reloader_->prepare(*model_); });
  watch_.event(EventKind::prepare_end, -1, 0, status.message());
  return status;
}

Status RankSession::loads(const Step& step) {
  MetaScope counted(*account_, meta_is_device());
  const bool digits = stage_.digits != nullptr;
  if (digits) {
    watch_.on_post_load = [this](const model::Layer& layer) {
      AccountScope nobody(nullptr);
      model::TapPause unseen(model::Tap::harness);
      for_each_tensor(layer, [&](const model::Slot& slot, bool) {
        if (!slot.handle->tensor.defined() || slot.handle->tensor.is_meta() || !has_plain_memory(slot.handle->tensor)) return;
        const at::Tensor tensor = nameable(slot.handle->tensor);
        run_.at_post_load.push_back({outcome_.step, layer.path() + "." + slot.name, Shape(tensor.sizes().begin(), tensor.sizes().end()),
                                     model::from_torch(tensor.scalar_type()), stage_.blobs.keep(tensor)});
      });
    };
  }
  return deliver(step.plan, step.abort_after, digits ? *stage_.digits : *stage_.checkpoints.at(step.plan.checkpoint));
}

Status RankSession::finish() {
  MetaScope counted(*account_, meta_is_device());
  watch_.at_load(-1);
  watch_.event(EventKind::finish_begin);
  Status status = supervised([&] { return reloader_->finish(*model_, {stage_.the_case.model.dtype}); });
  watch_.event(EventKind::finish_end, -1, 0, status.message());
  if (status.ok()) {
    update_open_ = false;
    watch_.ignore_kernels();
    watch_.on_post_load = nullptr;
  }
  return status;
}

Status RankSession::abort() {
  watch_.at_load(-1);
  watch_.event(EventKind::abort_begin);
  Status status = supervised([&] { return reloader_->abort(*model_); });
  watch_.event(EventKind::abort_end, -1, 0, status.message());
  update_open_ = false;
  watch_.ignore_kernels();
  watch_.on_post_load = nullptr;
  return status;
}

// The harness's own doings, beyond what the layers' forwards are.
Status RankSession::capture(const Step& step) {
  if (!usable_model()) return Status(Code::failed, "the model may not be used");
  const model::DeviceScope device(stage_.world.device(rank_));
  AccountScope nobody(nullptr);
  graphs_ = std::make_unique<GraphPlayer>(*model_, stage_.world, rank_, stage_.blobs);
  return graphs_->capture(step.graphs);
}

Status RankSession::replay(const Step& step) {
  if (!usable_model()) return Status(Code::failed, "the model may not be used");
  if (!graphs_) return Status(Code::failed, "there is no graph: nothing was captured");
  const model::DeviceScope device(stage_.world.device(rank_));
  AccountScope nobody(nullptr);
  return graphs_->replay(step.graphs, outcome_.step, run_.graph_reads);
}

model::Model* RankSession::usable_model() { return model_ && !asleep_ && !says_unusable() ? model_.get() : nullptr; }

void RankSession::note_forward(int number, Status status, const at::Tensor* output) {
  watch_.at_step(number, std::nullopt);
  begin_outcome(number);
  watch_.event(EventKind::forward);
  if (output) {  // null: of a model that was left on placeholders, or that failed
    AccountScope nobody(nullptr);
    outcome_.output = stage_.blobs.keep(*output);
  }
  end_outcome(std::move(status));
}

void RankSession::destroy() {
  if (series_) series_->destroy();
  graphs_.reset();
  resolved_.clear();
  layers_.assign(layers_.size(), nullptr);
  watch_.ignore_kernels();
  model_.reset();
  process_tables_.clear();  // the process ends with its model
}

}  // namespace reloadlab::sim
