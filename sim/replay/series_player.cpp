#include "sim/replay/series_player.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "reference/base/check.h"
#include "sim/replay/made.h"
#include "sim/scenario/spelling.h"
#include "sim/world/recording_group.h"

namespace reloadlab::sim {
namespace {

c10::impl::VirtualGuardImpl device_impl(const World& world, int rank) { return c10::impl::VirtualGuardImpl(world.device(rank).type()); }

}  // namespace

SeriesPlayer::SeriesPlayer(Scene scene) : scene_(std::move(scene)) {}
SeriesPlayer::~SeriesPlayer() = default;

c10::Stream SeriesPlayer::current() const { return device_impl(scene_.world, scene_.rank).getStream(scene_.world.device(scene_.rank)); }

c10::Stream SeriesPlayer::side() {
  if (!side_) side_ = device_impl(scene_.world, scene_.rank).getNewStream(scene_.world.device(scene_.rank));
  return *side_;
}

void SeriesPlayer::order(const c10::Stream& first, const c10::Stream& then) const {
  c10::Event event(first.device_type());
  event.record(first);
  event.block(then);
}

Status SeriesPlayer::each(const std::function<Status(WeightSeries&)>& call) {
  for (One& one : series_)
    if (one.series) RELOADLAB_TRY(scene_.supervised([&] { return call(*one.series); }));
  return {};
}

// Making.

// Models of one process have communicators of their own.
std::string SeriesPlayer::own_name(const std::string& group) const {
  return scene_.model_number == 0 ? group : fmt::format("{} of model {}", group, scene_.model_number);
}

Status SeriesPlayer::make(const CandidateInfo& candidate, const CandidateContext& context) {
  for (const SeriesSpec& spec : scene_.the_case.series) {
    series_.push_back({&spec, nullptr});
    if (spec.has_rank(scene_.rank)) RELOADLAB_TRY(make_one(spec, candidate, context, series_.back()));
  }
  return {};
}

Status SeriesPlayer::make_one(const SeriesSpec& spec, const CandidateInfo& candidate, const CandidateContext& context, One& one) {
  Devices& devices = *scene_.world.devices();
  const c10::Device device = scene_.world.device(scene_.rank);
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  for (const One& other : series_)  // series of one communicator hold one group
    if (&other != &one && other.series && other.spec->group == spec.group) group = groups_.at(spec.group);
  if (!group) {
    group = devices.group(own_name(spec.group), spec.ranks);
    const int64_t own = group->getRank();
    group = recording_group(group, device.type(),
                            [this, &spec, own](const IssuedCollective& issued) { saw_collective(spec.group, own, issued); });
    groups_[spec.group] = group;
  }
  const model::SeriesContext own{.name = spec.name,
                                 .group = group,
                                 .device = device,
                                 .prefetch = spec.prefetch,
                                 .store = devices.store(own_name(spec.group)),
                                 .model = &scene_.model};
  RELOADLAB_ASSIGN(one.series, made([&] { return candidate.make_series(context, own); }));
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const model::LayerPtr layer = scene_.model.find(spec.layers[i]);
    RELOADLAB_CHECK(layer, spec.layers[i]);
    RELOADLAB_TRY(scene_.supervised([&] { return one.series->register_layer(layer, spec.index_at(i)); }));
  }
  return {};
}

// The layer is known on the root alone, whose weight is sent from where it lies; others receive into a window.
void SeriesPlayer::saw_collective(const std::string& group, int64_t rank_in_group, const IssuedCollective& issued) {
  int layer = -1;
  const int64_t storage = issued.tensor ? allocation_serial(issued.tensor->storage()) : -1;
  if (issued.root == rank_in_group && issued.tensor) {
    for (const One& one : series_) {
      if (one.spec->group != group) continue;
      for (const std::string& path : one.spec->layers) {
        const model::LayerPtr candidate = scene_.model.find(path);
        const model::ParameterPtr weight = candidate ? candidate->tensor("weight") : nullptr;
        if (weight && weight->tensor.defined() &&
            weight->tensor.storage().unsafeGetStorageImpl() == issued.tensor->storage().unsafeGetStorageImpl())
          layer = layer_of(path);
      }
    }
  }
  const std::string text = issued.root >= 0 ? fmt::format("{} root {} of {}", issued.operation, issued.root, group)
                                            : fmt::format("{} of {}", issued.operation, group);
  const Sent sent{layer, issued.tensor ? static_cast<int64_t>(issued.tensor->nbytes()) : 0, text, storage};
  if (capturing_) captured_sent_.push_back(sent);
  tell(capturing_ ? EventKind::captured : EventKind::collective, sent);
}

void SeriesPlayer::tell(EventKind kind, const Sent& sent) { scene_.watch.event(kind, sent.layer, sent.bytes, sent.text, sent.storage); }

Status SeriesPlayer::finish_loading() {
  about("finish_loading");
  return each([](WeightSeries& series) { return series.finish_loading(); });
}

// What is issued from here on is said to be about that.
void SeriesPlayer::about(std::string_view what, const std::string& layer) const {
  const std::string whose = scene_.the_case.models > 1 ? fmt::format(", model {}", scene_.model_number) : "";
  const std::string text = fmt::format("step {}{}: {}{}{}", step_, whose, what, layer.empty() ? "" : " ", layer);
  scene_.world.devices()->label({.text = text, .step = step_, .model = scene_.model_number});
}

// From here on nothing is about what the step before did.
void SeriesPlayer::at_step(int step, const Step& what) {
  step_ = step;
  about(spell(step_spellings, what.kind));
}

void SeriesPlayer::say_where_weights_lie() const {
  for (const SeriesSpec& spec : scene_.the_case.series) {
    if (!spec.has_rank(scene_.rank)) continue;
    for (size_t i = 0; i < spec.layers.size(); ++i) {
      if (spec.global(spec.owner(spec.index_at(i), scene_.the_case.ranks)) == scene_.rank) continue;
      const model::LayerPtr layer = scene_.model.find(spec.layers[i]);
      const model::ParameterPtr weight = layer ? layer->tensor("weight") : nullptr;
      // Of what lies nowhere a placeholder may be left: an element, or less room than it would need.
      const bool there = weight && weight->tensor.defined() && weight->tensor.numel() > 1;
      if (!there || weight->tensor.storage().nbytes() < weight->tensor.nbytes()) continue;
      scene_.watch.event(EventKind::lies, layer_of(spec.layers[i]), 0, {}, allocation_serial(weight->tensor.storage()));
    }
  }
}

size_t SeriesPlayer::position(const std::string& layer) const {
  const std::vector<std::string> layers = scene_.the_case.shared_layers();
  return static_cast<size_t>(std::ranges::find(layers, layer) - layers.begin());
}

void SeriesPlayer::spend_before(const Visit& visit) {
  const auto& timing = scene_.the_case.timing;
  if (timing && visit.act == Visit::Act::reach) scene_.world.devices()->spend(timing->before_of(position(visit.layer)) * 1000);
}

void SeriesPlayer::spend_after(const Visit& visit) {
  const auto& timing = scene_.the_case.timing;
  if (timing) scene_.world.devices()->spend(timing->after_of(position(visit.layer), scene_.rank) * 1000);
}

// Passes.

Status SeriesPlayer::pass(const Step& step) {
  const bool timed = scene_.the_case.timing && !capturing_;
  if (timed) paces_.push_back({step_, scene_.world.devices()->mark(), -1});
  Status status = play(visits(scene_.the_case, step.pass, scene_.rank), step.pass.stream);
  if (timed) paces_.back().end = scene_.world.devices()->mark();
  join();
  return status;
}

Status SeriesPlayer::play(const std::vector<Visit>& visits, Pass::Stream stream) {
  for (size_t i = 0; i < visits.size(); ++i) {
    const Visit& visit = visits[i];
    const bool forks = i + 1 < visits.size() && visits[i + 1].act == Visit::Act::second_read;
    if (forks) forked_.emplace(current().device_type()), forked_->record(current());
    switch (visit.act) {
      case Visit::Act::reach:
        RELOADLAB_TRY(reach(visit));
        break;
      case Visit::Act::read:
        RELOADLAB_TRY(read(visit, stream));
        break;
      case Visit::Act::bypass:
        about("read of", visit.layer);
        take(visit.layer);
        break;
      case Visit::Act::second_read:
        forked_->block(side());
        forks_ = true;
        RELOADLAB_TRY(read_on(visit, side()));
        join();
        break;
      case Visit::Act::sync:
        RELOADLAB_TRY(host_sync());
        break;
      case Visit::Act::lose:
        lost_ = true;
        scene_.watch.event(EventKind::lost, layer_of(visit.layer));
        break;
    }
  }
  return {};
}

Status SeriesPlayer::reach(const Visit& visit) {
  about("reach", visit.layer);
  scene_.watch.event(EventKind::reach_begin, layer_of(visit.layer));
  Status status = scene_.supervised([&] { return series_[visit.series].series->reach(visit.index); });
  scene_.watch.event(EventKind::reach_end, layer_of(visit.layer), 0, status.message());
  spend_before(visit);
  return status;
}

Status SeriesPlayer::read(const Visit& visit, Pass::Stream stream) {
  if (stream == Pass::Stream::current) return read_on(visit, current());
  const c10::Stream outer = current();
  order(outer, side());
  forks_ = true;
  Status status = read_on(visit, side());
  if (stream == Pass::Stream::joined) join();
  return status;
}

void SeriesPlayer::join() {
  if (std::exchange(forks_, false)) order(side(), current());
}

Status SeriesPlayer::read_on(const Visit& visit, const c10::Stream& stream) {
  const c10::StreamGuard guard(stream);
  const model::LayerPtr layer = scene_.model.find(visit.layer);
  about("forward of", visit.layer);
  Devices& devices = *scene_.world.devices();
  const bool waits = takes_waits();
  if (waits) paces_.back().waits.emplace_back(devices.mark(), -1);
  return scene_.supervised([&] {
    return model::around_forward(*layer, [&] {
      if (waits) paces_.back().waits.back().second = devices.mark();
      take(visit.layer);
      spend_after(visit);
      return Status();
    });
  });
}

bool SeriesPlayer::takes_waits() const {
  return scene_.world.devices()->takes_times() && !capturing_ && !paces_.empty() && paces_.back().end < 0;
}

int SeriesPlayer::number_of(const c10::Stream& stream) {
  const auto found = std::ranges::find(readers_, stream);
  const auto number = static_cast<int>(found - readers_.begin());
  if (found == readers_.end()) readers_.push_back(stream);
  return number;
}

// Stands for the forward: a kernel that reads all bytes of the layer's tensors.
void SeriesPlayer::take(const std::string& layer) {
  AccountScope nobody(nullptr);
  const model::TapPause unseen(model::Tap::harness);
  model::for_each_tensor(*scene_.model.find(layer), [&](const model::Slot& slot, bool) {
    const at::Tensor& tensor = slot.handle->tensor;
    if (!tensor.defined() || tensor.is_meta()) return;
    RankRun::Read read{.step = step_,
                       .layer = layer_of(layer),
                       .slot = slot.name,
                       .storage = allocation_serial(tensor.storage()),
                       .offset = tensor.storage_offset(),
                       .shape = Shape(tensor.sizes().begin(), tensor.sizes().end()),
                       .dtype = model::from_torch(tensor.scalar_type()),
                       .content = nullptr,
                       .stream = number_of(current())};
    at::Tensor copy = scene_.world.devices()->read(tensor);
    if (capturing_)
      captured_.push_back({std::move(read), std::move(copy)});
    else
      seen(read, std::move(copy));
  });
}

void SeriesPlayer::seen(const RankRun::Read& read, at::Tensor copy) {
  scene_.watch.event(EventKind::read, read.layer, 0, read.slot, static_cast<int64_t>(scene_.run.reads.size()));
  scene_.run.reads.push_back(read);
  scene_.run.reads.back().step = step_;
  copies_.push_back(std::move(copy));
}

void SeriesPlayer::collect(const std::function<BlobPtr(size_t read, const at::Tensor& here)>& keep) {
  for (size_t i = 0; i < copies_.size(); ++i)
    if (copies_[i].defined()) scene_.run.reads[i].content = keep(i, copies_[i]);
  copies_.clear();
  const Devices* devices = scene_.world.devices();
  for (const Pace& pace : paces_) {
    if (pace.end < 0) continue;
    scene_.run.paces.push_back({pace.step, devices->time_of(pace.begin), devices->time_of(pace.end)});
    for (const auto& [before, behind] : pace.waits)
      if (behind >= 0) scene_.run.paces.back().waited += devices->time_of(behind) - devices->time_of(before);
  }
}

Status SeriesPlayer::host_sync() {
  return scene_.supervised([&] {
    device_impl(scene_.world, scene_.rank).synchronizeDevice(scene_.world.device(scene_.rank).index());
    return Status();
  });
}

void SeriesPlayer::destroy() {
  for (One& one : series_) one.series.reset();
  graph_.reset();
  captured_.clear();
}

// Between passes.

Status SeriesPlayer::drain() {
  about("drain");
  return each([](WeightSeries& series) { return series.drain(); });
}
Status SeriesPlayer::reset() {
  about("reset");
  return each([](WeightSeries& series) { return series.reset(); });
}

// Engines drain before, where that can be done.
Status SeriesPlayer::sleep(bool keeps_contents) {
  about("sleep");
  return each([&](WeightSeries& series) -> Status {
    Status drained = series.drain();
    if (!drained.ok() && drained.code() != Code::unsupported) return drained;
    return series.sleep(keeps_contents);
  });
}

Status SeriesPlayer::wake() {
  about("wake");
  return each([](WeightSeries& series) { return series.wake(); });
}

// Owners hold their weights for good, so what is written there is what is broadcast from then on. What stands beside a weight is on every
// rank; and ranks that do not share hold all of it.
Status SeriesPlayer::overwrite(const std::string& checkpoint, bool also_shared) {
  AccountScope nobody(nullptr);
  const model::TapPause unseen(model::Tap::harness);
  return scene_.supervised([&] {
    for (const SeriesSpec& spec : scene_.the_case.series) {
      const bool shares = spec.has_rank(scene_.rank);
      for (const std::string& layer : spec.layers) {
        if (shares && !also_shared) continue;
        const int64_t owner = spec.global(spec.owner(spec.index_of(layer), scene_.the_case.ranks));
        model::for_each_tensor(*scene_.model.find(layer), [&](const model::Slot& slot, bool) {
          if (slot.name == "weight" && shares && owner != scene_.rank) return;
          slot.handle->tensor.copy_(scene_.processed(checkpoint, layer + "." + slot.name), true);
        });
      }
    }
    return Status();
  });
}

Status SeriesPlayer::update_owner(const Step& step) {
  about("update of owners");
  return overwrite(step.plan.checkpoint, true);
}

// What a rank does not share no series reloads for it: there it gets what a cold load leaves.
Status SeriesPlayer::reload(const Step& step, const std::function<Status(const Step&)>& loads) {
  about("reload");
  RELOADLAB_TRY(each([&](WeightSeries& series) { return series.begin_reload(step.in_place); }));
  if (!step.in_place) RELOADLAB_TRY(loads(shared_part(step)));
  if (step.abort_after) return each([](WeightSeries& series) { return series.reset(); });
  RELOADLAB_TRY(overwrite(step.plan.checkpoint, step.in_place));
  return close_reload();
}

// Each series takes or refuses it by itself; what one of them refuses leaves none open.
Status SeriesPlayer::close_reload() {
  Status first;
  for (One& one : series_) {
    if (!one.series) {  // what the rank holds whole was overwritten
      scene_.watch.event(EventKind::reloaded, -1, 0, one.spec->name);
      continue;
    }
    Status taken = scene_.supervised([&] { return one.series->reload(); });
    if (taken.ok()) scene_.watch.event(EventKind::reloaded, -1, 0, one.spec->name);
    if (first.ok()) first = std::move(taken);
  }
  return first;
}

Step SeriesPlayer::shared_part(Step step) const {
  for (const model::Delivery& delivery : scene_.catalogue.deliveries()) {
    const SeriesSpec* spec = scene_.the_case.series_of(delivery.layer);
    if (spec && !spec->has_rank(scene_.rank)) step.plan.omit.push_back(delivery.name);
  }
  return step;
}

}  // namespace reloadlab::sim
