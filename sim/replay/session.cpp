#include "sim/replay/session.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include <exception>

#include "reference/base/check.h"
#include "reference/model/device.h"
#include "reference/model/guard.h"
#include "sim/replay/plan.h"

namespace reloadlab::sim {
namespace {

bool transport_reuses(const std::vector<Step>& steps) {
  for (const Step& step : steps)
    if ((step.plan.chunk > 0 && step.plan.reuses) || transport_reuses(step.body)) return true;
  return false;
}

// It makes its tensors in prepare; others make placeholders, which are shapes and nothing else.
bool restores_whole_model(const CandidateInfo* candidate) { return candidate && PlanPolicies::declared(candidate->declared).whole_model; }

size_t at(int index) { return static_cast<size_t>(index); }

}  // namespace

RankSession::RankSession(const Stage& stage, int rank, RankRun& run, int model)
    : stage_(stage),
      rank_(rank),
      model_number_(model),
      run_(run),
      account_(stage.world.account(rank)),
      watch_(stage.catalogue, run),
      census_(stage.blobs, stage.world.has_bytes() || !stage.world.devices()) {
  if (stage.keep_allocations)
    account_->on_change = [this](int64_t bytes, int64_t serial) {
      watch_.event(bytes > 0 ? EventKind::alloc : EventKind::free, -1, std::abs(bytes), {}, serial);
    };
}

RankSession::~RankSession() { account_->on_change = nullptr; }

Status RankSession::construct() {
  model::DeviceScope device(stage_.world.device(rank_));
  model_ = model::build_model(stage_.the_case.model, stage_.the_case.parallel(rank_));
  layers_.assign(at(stage_.catalogue.layer_count()), nullptr);
  for (const model::LayerPtr& layer : model_->layers()) layers_[at(stage_.catalogue.find_layer(layer->path()))] = layer.get();
  if (!stage_.candidate) return {};
  CandidateContext context{.observer = &watch_,
                           .rank = rank_,
                           .ranks = stage_.world.ranks(),
                           .transport_reuses_buffers = transport_reuses(stage_.the_case.steps),
                           .extra_bytes_limit = stage_.the_case.limits.extra_bytes};
  if (stage_.candidate->make_reloader) {
    RELOADLAB_ASSIGN(reloader_, stage_.candidate->make_reloader(context));
  }
  begin_outcome(-1);
  Status status = stage_.the_case.record == Record::after_construction && reloader_ ? record() : Status();
  if (status.ok() && !stage_.the_case.series.empty()) status = make_series(context);
  if (status.ok() && stage_.the_case.record == Record::after_registration && reloader_) status = record();
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

// Runs a candidate's (or the substrate's) code under every tap. An exception that comes out of it is noted as a crash.
template <class Fn>
Status RankSession::supervised(Fn&& fn) {
  model::DeviceScope device(stage_.world.device(rank_));
  model::DTypeScope dtype(default_dtype_.value_or(DType::f32));
  model::ProcessScope process(process_tables_);
  model::TapGuard tap(model::Tap::harness, watch_);
  model::PostLoadScope post_load(watch_);
  model::LoaderScope loader(watch_);
  try {
    return fn();
  } catch (const Defect&) {
    throw;
  } catch (const std::exception& error) {
    outcome_.crashed = true;
    std::string_view text = error.what();
    return Status(Code::failed, std::string(text.substr(0, text.find('\n'))));
  }
}

void RankSession::begin_outcome(int number) {
  outcome_ = {};
  update_seen_ = update_open_;
  outcome_.step = number;
  account_->restart_peak();
}

void RankSession::end_outcome(Status status) {
  outcome_.status = std::move(status);
  if (update_seen_) {
    outcome_.extra_bytes_peak = account_->peak_bytes() - baseline_bytes_;
    outcome_.extra_bytes_after = account_->live_bytes() - baseline_bytes_;
  }
  outcome_.unusable = reloader_ && reloader_->unusable();
  count_living(outcome_);
  outcome_.peak_bytes = account_->peak_bytes();
  // A census makes the host wait for its device: with series it would take away the very order that is judged.
  if (!series_ || outcome_.step < 0) take_census(outcome_.step);
  run_.outcomes.push_back(std::move(outcome_));
}

void RankSession::take_census(int step) {
  AccountScope nobody(nullptr);
  const c10::DeviceGuard device(stage_.world.device(rank_));
  if (model_) run_.censuses.push_back(census_.take(*model_, process_tables_, step));
}

void RankSession::collect() {
  if (!series_) return;
  series_->collect([&](const at::Tensor& here) { return stage_.blobs.keep(stage_.world.devices()->bytes_now(here)); });
  if (run_.outcomes.empty() || run_.outcomes.back().step < 0) return;
  try {
    take_census(run_.outcomes.back().step);
  } catch (const c10::Error&) {  // NOLINT(bugprone-empty-catch): where something waits for ever there is no last state
  }
}

void RankSession::count_living(StepOutcome& outcome) const {
  outcome.live_layers = model::Counted<model::Layer>::live_count() - stage_.layers_before;
  outcome.live_parameters = model::Counted<model::Parameter>::live_count() - stage_.parameters_before;
  outcome.live_allocations = account_->live_allocations();
  outcome.live_bytes = account_->live_bytes();
}

void RankSession::recount() { count_living(run_.outcomes.back()); }

Status RankSession::run_step(int number, const Step& step) {
  watch_.at_step(number, step.fault);
  if (series_) series_->at_step(number);
  default_dtype_ = step.default_dtype;
  begin_outcome(number);
  watch_.event(EventKind::step_begin);
  Status status = act(step);
  watch_.event(EventKind::step_end, -1, 0, status.message());
  end_outcome(std::move(status));
  return harness_error_;
}

Status RankSession::act(const Step& step) {
  if (!model_) return Status(Code::misuse, "the model has been destroyed");
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
      return series_->capture(step);
    case StepKind::replay:
      return series_->replay();
    case StepKind::host_sync:
      return series_->host_sync();
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
  return supervised([&]() -> Status {
    if (reloader_) RELOADLAB_TRY(reloader_->before_post_load(*model_));
    if (series_) RELOADLAB_TRY(series_->finish_loading());
    return model::guarded([&] { return model::process_model_after_loading(*model_); });
  });
}

// The values that loaders would have placed, where they would have placed them, and nothing that they would have done to them.
Status RankSession::write_straight(const LoadPlan& plan) {
  if (meta_is_device()) return {};
  AccountScope nobody(nullptr);
  for (const Sent& sent : sequence(stage_.catalogue, plan)) {
    if (sent.delivery < 0) continue;
    const model::Delivery& delivery = stage_.catalogue.deliveries()[at(sent.delivery)];
    const int layer = stage_.catalogue.layer_of(sent.delivery);
    const Result<at::Tensor> values =
        stage_.world.has_bytes() ? stage_.checkpoints.at(plan.checkpoint)->read(delivery) : shape_only(delivery.shape, delivery.dtype);
    if (!values.ok()) return harness_error_ = values.status();
    for (const model::Placement& box :
         stage_.catalogue.kind(layer).placements(stage_.catalogue.layer(layer), delivery, stage_.the_case.parallel(rank_))) {
      at::Tensor from = values->view(model::aligned(delivery.shape, box.extent.size())), to = resolve(sent.delivery)->tensor;
      for (size_t dim = 0; dim < box.extent.size(); ++dim) {
        from = from.narrow(static_cast<int64_t>(dim), box.source_start[dim], box.extent[dim]);
        to = to.narrow(static_cast<int64_t>(dim), box.target_start[dim], box.extent[dim]);
      }
      to.copy_(from);
    }
  }
  return {};
}

Status RankSession::reload(const Step& step) {
  if (series_ && step.via == Via::series) return series_->reload(step, [&] { return loads(step); });
  Status status = prepare(step);
  if (status.ok()) status = loads(step);
  if (status.ok() && step.abort_after) return abort();
  if (status.ok()) return finish();
  // What an engine does with a failed update. The update's own failure is the step's outcome; how the abort went is in the trace.
  return abort().ok() ? status : status.within("not abandoned");
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
        const at::Tensor& tensor = slot.handle->tensor;
        if (!tensor.defined() || tensor.is_meta()) return;
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

model::ParameterPtr RankSession::resolve(int delivery) const {
  const model::Layer* layer = layers_[at(stage_.catalogue.layer_of(delivery))];
  return layer->tensor(stage_.catalogue.deliveries()[at(delivery)].slot);
}

void RankSession::resolve_all() {
  resolved_.clear();
  for (size_t i = 0; i < stage_.catalogue.deliveries().size(); ++i) resolved_.push_back(resolve(static_cast<int>(i)));
}

void RankSession::resolve_batch(const std::vector<Sent>& sent, size_t first, size_t count) {
  const auto each = [&](size_t from, size_t to, auto&& fn) {
    for (size_t i = from; i < std::min(to, sent.size()); ++i)
      if (sent[i].delivery >= 0) fn(sent[i].delivery);
  };
  each(first - std::min(first, count), first, [&](int delivery) { resolved_[at(delivery)] = nullptr; });  // the batch before
  each(first, first + count, [&](int delivery) { resolved_[at(delivery)] = resolve(delivery); });
}

Status RankSession::deliver(const LoadPlan& plan, const std::optional<int64_t>& limit, const Checkpoint& source) {
  if (plan.resolve == LoadPlan::Resolve::loads_begin && plan.batch == 0) resolve_all();
  if (plan.resolve == LoadPlan::Resolve::loads_begin && plan.batch > 0) resolved_.assign(stage_.catalogue.deliveries().size(), nullptr);
  Status status = send(plan, limit, source);
  resolved_.clear();
  return status;
}

Status RankSession::send(const LoadPlan& plan, const std::optional<int64_t>& limit, const Checkpoint& source) {
  Transport transport(stage_.catalogue, sequence(stage_.catalogue, plan), source,
                      {.chunked = plan.chunk > 0, .reuses = plan.reuses, .device = stage_.world.device(rank_), .bytes = stage_.world.has_bytes()});
  for (size_t i = 0; i < transport.sent().size(); ++i) {
    if (limit && static_cast<int64_t>(i) >= *limit) return {};
    const Sent& sent = transport.sent()[i];
    const int layer = sent.delivery < 0 ? -1 : stage_.catalogue.layer_of(sent.delivery);
    if (plan.resolve == LoadPlan::Resolve::loads_begin && plan.batch > 0 && static_cast<int64_t>(i) % plan.batch == 0)
      resolve_batch(transport.sent(), i, static_cast<size_t>(plan.batch));
    watch_.at_load(static_cast<int>(i));
    watch_.take_operators();
    watch_.event(EventKind::load_begin, layer, 0, sent.delivery < 0 ? sent.unknown : stage_.catalogue.deliveries()[at(sent.delivery)].name);
    Status status = watch_.source_fails() ? Status(Code::failed, "injected fault") : deliver_one(transport, i);
    watch_.event(EventKind::load_end, layer, 0, status.message());
    outcome_.load_statuses.push_back(status);
    outcome_.load_operators.push_back(watch_.take_operators());
    RELOADLAB_TRY(status);
  }
  return {};
}

// Where the transport reuses its buffers, loaded tensors are its own memory and not the candidate's.
Result<at::Tensor> RankSession::fetch(Transport& transport, size_t position) const {
  AccountScope owner(transport_reuses(stage_.the_case.steps) ? nullptr : account_);
  return transport.fetch(position);
}

Status RankSession::deliver_one(Transport& transport, size_t position) {
  const Sent& sent = transport.sent()[position];
  if (sent.delivery < 0) {
    return supervised([&] { return model_->on_unexpected_name ? model_->on_unexpected_name(sent.unknown) : Status(); });
  }
  const int64_t peak_before = account_->peak_bytes();
  account_->hold_peak(true);
  Result<at::Tensor> loaded = fetch(transport, position);
  account_->hold_peak(false);
  const int64_t peak_with_it = account_->peak_bytes();
  if (!loaded.ok()) return harness_error_ = loaded.status();
  watch_.handed_over(*loaded, stage_.catalogue.deliveries()[at(sent.delivery)].name);
  Status status = call_loader(resolved_.empty() ? resolve(sent.delivery) : resolved_[at(sent.delivery)],
                              stage_.catalogue.deliveries()[at(sent.delivery)], *loaded);
  // A tensor that was refused at once was the transport's all the time; one for which memory was taken first had been accepted.
  if (!status.ok() && account_->peak_bytes() == peak_with_it) account_->forget_peak_since(peak_before);
  return status;
}

Status RankSession::call_loader(const model::ParameterPtr& handle, const model::Delivery& delivery, const at::Tensor& loaded) {
  if (!handle) return Status(Code::failed, "layer " + delivery.layer + " has no tensor " + delivery.slot);
  const model::LoaderPtr loader = handle->loader ? handle->loader : model::default_weight_loader();
  const model::LoadArgs args{delivery.shard, delivery.expert, delivery.part};
  auto call = [&] { return (*loader)(*handle, loaded, args); };
  if (!loader->wrapped) return supervised([&] { return model::guarded(call); });
  return supervised(call);
}

model::Model* RankSession::usable_model() { return model_ && !(reloader_ && reloader_->unusable()) ? model_.get() : nullptr; }

void RankSession::note_forward(int number, Status status, const at::Tensor* output) {
  watch_.at_step(number, std::nullopt);
  begin_outcome(number);
  watch_.event(EventKind::forward);
  if (output && !output->is_meta()) {  // of a model that was left on placeholders
    AccountScope nobody(nullptr);
    outcome_.output = stage_.blobs.keep(*output);
  }
  end_outcome(std::move(status));
}

void RankSession::destroy() {
  if (series_) series_->destroy();
  resolved_.clear();
  layers_.assign(layers_.size(), nullptr);
  watch_.ignore_kernels();
  model_.reset();
  process_tables_.clear();  // the process ends with its model
}

}  // namespace reloadlab::sim
