// How a session delivers: whose handle takes a tensor, and what a load call comes to.
#include <fmt/format.h>

#include "reference/base/check.h"
#include "reference/model/guard.h"
#include "sim/replay/session.h"

namespace reloadlab::sim {
namespace {

bool transport_reuses(const std::vector<Step>& steps) {
  for (const Step& step : steps)
    if (step.plan.transport_owns() || transport_reuses(step.body)) return true;
  return false;
}

size_t as_size(int index) { return static_cast<size_t>(index); }

}  // namespace

bool RankSession::reuses_buffers() const { return transport_reuses(stage_.the_case.steps); }

// The values that loaders would have placed, where they would have placed them, and nothing that they would have done to them.
Status RankSession::write_straight(const LoadPlan& plan) {
  if (meta_is_device()) return {};
  AccountScope nobody(nullptr);
  for (const Sent& sent : sequence(stage_.catalogue, plan)) {
    if (sent.delivery < 0) continue;
    const model::Delivery& delivery = stage_.catalogue.deliveries()[as_size(sent.delivery)];
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

model::ParameterPtr RankSession::resolve(int delivery) const {
  const model::Layer* layer = layers_[as_size(stage_.catalogue.layer_of(delivery))];
  return layer->tensor(stage_.catalogue.deliveries()[as_size(delivery)].slot);
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
  each(first - std::min(first, count), first, [&](int delivery) { resolved_[as_size(delivery)] = nullptr; });  // the batch before
  each(first, first + count, [&](int delivery) { resolved_[as_size(delivery)] = resolve(delivery); });
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
                      {.chunked = plan.chunk > 0 || plan.source == LoadPlan::Source::ipc,
                       .reuses = plan.reuses,
                       .source = plan.source,
                       .handle = plan.handle,
                       .device = stage_.world.device(rank_),
                       .bytes = stage_.world.has_bytes(),
                       .foreign_memory = [this](int64_t bytes) { return stage_.world.foreign_memory(rank_, bytes); }});
  Status status = send_by(transport, plan, limit);
  const Status ended = transport.end();
  return ended.ok() ? status : harness_error_ = ended;
}

Status RankSession::send_by(Transport& transport, const LoadPlan& plan, const std::optional<int64_t>& limit) {
  for (size_t i = 0; i < transport.sent().size(); ++i) {
    if (limit && static_cast<int64_t>(i) >= *limit) return {};
    const Sent& sent = transport.sent()[i];
    const int layer = sent.delivery < 0 ? -1 : stage_.catalogue.layer_of(sent.delivery);
    if (plan.resolve == LoadPlan::Resolve::loads_begin && plan.batch > 0 && static_cast<int64_t>(i) % plan.batch == 0)
      resolve_batch(transport.sent(), i, static_cast<size_t>(plan.batch));
    watch_.at_load(static_cast<int>(i));
    watch_.take_operators();
    watch_.event(EventKind::load_begin, layer, 0,
                 sent.delivery < 0 ? sent.unknown : stage_.catalogue.deliveries()[as_size(sent.delivery)].name);
    Status status = watch_.source_fails() ? Status(Code::failed, "injected fault") : deliver_one(transport, i);
    watch_.event(EventKind::load_end, layer, 0, status.message());
    outcome_.load_statuses.push_back(status);
    outcome_.load_operators.push_back(watch_.take_operators());
    RELOADLAB_TRY(status);
    if (const Status returned = transport.returned(i); !returned.ok()) return harness_error_ = returned;
  }
  return {};
}

// Where the transport reuses its buffers, loaded tensors are its own memory and not the candidate's.
Result<at::Tensor> RankSession::fetch(Transport& transport, size_t position) const {
  AccountScope owner(reuses_buffers() ? nullptr : account_);
  return transport.fetch(position);
}

void RankSession::say(const char* what, const std::string& name) const {
  SeenOrder* seen = series_ ? nullptr : stage_.world.seen_order();
  if (seen) seen->label({.text = fmt::format("step {}: {} {}", outcome_.step, what, name), .step = outcome_.step});
}

Status RankSession::deliver_one(Transport& transport, size_t position) {
  const Sent& sent = transport.sent()[position];
  if (sent.delivery < 0) {
    return supervised([&] { return model_->on_unexpected_name ? model_->on_unexpected_name(sent.unknown) : Status(); });
  }
  const std::string& name = stage_.catalogue.deliveries()[as_size(sent.delivery)].name;
  say("arrival of", name);
  const int64_t peak_before = account_->peak_bytes();
  account_->hold_peak(true);
  Result<at::Tensor> loaded = fetch(transport, position);
  account_->hold_peak(false);
  const int64_t peak_with_it = account_->peak_bytes();
  if (!loaded.ok()) return harness_error_ = loaded.status();
  watch_.handed_over(*loaded, name);
  say("load of", name);
  Status status = call_loader(resolved_.empty() ? resolve(sent.delivery) : resolved_[as_size(sent.delivery)],
                              stage_.catalogue.deliveries()[as_size(sent.delivery)], *loaded);
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

}  // namespace reloadlab::sim
