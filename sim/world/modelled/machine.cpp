#include "sim/world/modelled/machine.h"

#include <algorithm>

#include "reference/base/check.h"
#include "sim/world/modelled/capture.h"
#include "sim/world/modelled/device.h"
#include "sim/world/modelled/hosts.h"
#include "sim/world/modelled/memory.h"
#include "sim/world/modelled/rendezvous.h"

namespace reloadlab::sim::modelled {
namespace {

Machine*& the_machine() {
  static Machine* machine = nullptr;
  return machine;
}

constexpr int pool_streams = 32;

}  // namespace

std::string Stream::name() const { return fmt::format("stream {} of sim:{}", id, device); }

Machine::Machine(MachineConfig config, std::unique_ptr<Chooser> chooser)
    : config_(config),
      chooser_(std::move(chooser)),
      memory_(std::make_shared<Memory>(config.ranks, config.poison, config.bytes)),
      devices_(static_cast<size_t>(config.ranks)),
      pool_next_(static_cast<size_t>(config.ranks), 0),
      running_collectives_(static_cast<size_t>(config.ranks), 0),
      collective_times_(static_cast<size_t>(config.ranks)),
      kernels_end_(static_cast<size_t>(config.ranks)),
      hosts_(std::make_unique<Hosts>(config.ranks, config.stuck_seconds)),
      rendezvous_(std::make_unique<Rendezvous>()) {
  RELOADLAB_CHECK(the_machine() == nullptr, "one machine at a time");
  RELOADLAB_CHECK(config_.skew.empty() || config_.skew.size() == devices_.size(), "a skew for each rank, or none");
  watched_ = chooser_->watches();
  install_modelled_devices();
  the_machine() = this;
  for (int device = 0; device < config.ranks; ++device) new_stream(device);
}

Machine::~Machine() { the_machine() = nullptr; }
Machine* Machine::current() { return the_machine(); }
Machine& Machine::required() {
  TORCH_CHECK(the_machine(), "there is no modelled machine");
  return *the_machine();
}

Stream& Machine::stream(int device, int64_t id) {
  TORCH_CHECK(device >= 0 && device < config_.ranks, "there is no device sim:", device);
  auto& streams = devices_[static_cast<size_t>(device)];
  TORCH_CHECK(id >= 0 && id < static_cast<int64_t>(streams.size()), "there is no stream ", id, " of sim:", device);
  return *streams[static_cast<size_t>(id)];
}

Stream& Machine::new_stream(int device) {
  auto& streams = devices_[static_cast<size_t>(device)];
  auto stream = std::make_unique<Stream>();
  stream->actor = actor_of(device, static_cast<int64_t>(streams.size()));
  stream->device = device;
  stream->id = static_cast<int64_t>(streams.size());
  stream->event = named("an event on " + stream->name());
  auto earlier = [](const Stream* one, const Stream* other) { return one->actor < other->actor; };
  streams_.insert(std::upper_bound(streams_.begin(), streams_.end(), stream.get(), earlier), stream.get());
  uses(device);
  return *streams.emplace_back(std::move(stream));
}

Stream& Machine::pool_stream(int device) {
  // The pool's streams are made as they are first asked for; others may have been made in between, so they are found by turn.
  int turn = pool_next_[static_cast<size_t>(device)]++;
  auto& pool = pool_[{device, turn % pool_streams}];
  if (!pool) pool = &new_stream(device);
  return *pool;
}

int Machine::host() const { return hosts_->here().actor; }
int Machine::device() const { return hosts_->here().device; }
void Machine::set_device(int device) { hosts_->here().device = device; }
int64_t Machine::current_stream(int device) const { return hosts_->here().current_stream.at(static_cast<size_t>(device)); }
void Machine::set_current_stream(int device, int64_t id) { hosts_->here().current_stream.at(static_cast<size_t>(device)) = id; }

void Machine::issue(Stream& stream, Action action) {
  auto* wait = std::get_if<Wait>(&action);
  std::shared_ptr<Capture> capture = stream.capture ? stream.capture : wait ? wait->point->capture : nullptr;
  if (capture) return capture->add(capture, stream, std::move(action), hosts_->here().label);
  if (auto* record = std::get_if<Record>(&action)) record->point->id = next_point_++;
  if (auto* part = std::get_if<Part>(&action)) {
    part->done->id = next_point_++;
    Collective::Seat& seat = part->collective->seats[part->index];
    seat.issued = true;
    seat.stream = stream.actor;
    seat.done = part->done;
  }
  Host& host = hosts_->here();
  host.now += config_.host_call;
  if (watched_) open_.footprint.tails.push_back(stream.actor);
  stream.queue.push_back(
      {std::move(action), std::exchange(stream.fills, {}), hosts_->knowledge(host), host.now, host.label, host.turn, issued_count_++});
  changed(stream);
}

PointPtr Machine::record(Stream& stream, NamePtr name) {
  auto point = std::make_shared<Point>();
  point->name = std::move(name);
  issue(stream, Record{point});
  return point;
}

void Machine::wait(Stream& stream, const PointPtr& point) { issue(stream, Wait{point}); }

void Machine::fill(Stream& stream, Kernel kernel) {
  if (stream.capture) return issue(stream, std::move(kernel));
  if (watched_) open_.footprint.tails.push_back(stream.actor);
  stream.fills.push_back(std::move(kernel));
}

// Hosts.

void Machine::host_wait(const PointPtr& point) {
  TORCH_CHECK(!point->capture, "a host cannot wait for ", *point->name, ": it belongs to a capture");
  host_wait([point] { return point->done; }, [point] { return *point->name; }, {.waits = point, .looks = {}, .keys = {}});
  host_joins(*point);
}

void Machine::host_wait(const std::function<bool()>& ready, const std::function<std::string()>& what, Asked asked) {
  hosts_->here().asked = std::move(asked);
  if (hosts_->on_rank_thread()) {
    hosts_->park(ready, what);
  } else {
    drive(ready, what);
  }
  TORCH_CHECK(device_error_.empty(), "a kernel failed earlier: ", device_error_);
}

// The driver goes on as soon as it can where it waits; where it only asks, it is one of those who can go on.
void Machine::drive(const std::function<bool()>& ready, const std::function<std::string()>& what) {
  Host& driver = hosts_->here();
  bool went_on = false;
  while (driver.asked.waits ? !ready() : !went_on) {
    if (advance(!driver.asked.waits) || (driver.asked.waits && ready())) {
      went_on = driver.turn == turn_;
      continue;
    }
    TORCH_CHECK(false, abandoned_ ? "the chooser ended the run" : "deadlock", ": the driver waits for ", what(),
                ", and nothing can go on\n", picture());
  }
  if (driver.asked.waits) {
    ++turn_;
    open_host_turn(driver);
    close_turn(driver.clock);
  }
}

bool Machine::host_query(const PointPtr& point) {
  TORCH_CHECK(!point->capture, "a host cannot query ", *point->name, ": it belongs to a capture");
  host_wait([] { return true; }, [point] { return "a query of " + *point->name; }, {.waits = {}, .looks = {point}, .keys = {}});
  if (point->done) host_joins(*point);
  return point->done;
}

void Machine::host_look(const std::vector<PointPtr>& points) {
  host_wait([] { return true; }, [] { return std::string("a look at what is done"); }, {.waits = {}, .looks = points, .keys = {}});
}

void Machine::host_access(const std::string& key, bool write) { host_access(std::vector<Footprint::Key>{{key, write}}); }

void Machine::host_access(std::vector<Footprint::Key> keys) {
  std::string name = keys.front().name;
  host_wait([] { return true; }, [name] { return "its turn with " + name; }, {.waits = {}, .looks = {}, .keys = std::move(keys)});
}

void Machine::host_joins(const Point& point) { hosts_->learn(hosts_->here(), point.clock, point.time); }

void Machine::synchronize(Stream& stream) {
  TORCH_CHECK(!stream.capture, "a host cannot synchronize ", stream.name(), " while it is capturing");
  host_wait(record(stream, "all of " + stream.name()));
}

void Machine::synchronize_device(int device) {
  std::vector<PointPtr> points;
  for (auto& stream : devices_.at(static_cast<size_t>(device))) {
    TORCH_CHECK(!stream->capture, "a host cannot synchronize sim:", device, " while ", stream->name(), " is capturing");
    // What has executed was perhaps not known of before: a stream that was ever used is waited for, idle or not.
    if (!stream->idle() || stream->clock.at(stream->actor) > 0) points.push_back(record(*stream, "all of " + stream->name()));
  }
  for (const PointPtr& point : points) host_wait(point);
}

bool Machine::drain() {
  RELOADLAB_CHECK(!hosts_->on_rank_thread(), "the driver drains");
  while (advance()) {
  }
  Host& driver = hosts_->here();
  for (const Stream* stream : streams_) hosts_->learn(driver, stream->clock, stream->free_at);
  end_of_run();
  return std::all_of(streams_.begin(), streams_.end(), [](const Stream* stream) { return stream->idle(); });
}

// The scheduler.

RunReport Machine::run(const std::function<void(int)>& body) {
  RELOADLAB_CHECK(!hosts_->on_rank_thread(), "a run inside a run");
  OneCore pinned;
  auto shown = [this] { return picture(); };
  RunReport report;
  int64_t limit = taken_ + config_.step_limit;
  hosts_->start(body);
  look_at_all();
  for (size_t rank = 0; rank < config_.skew.size(); ++rank) hosts_->host(static_cast<int>(rank)).now += config_.skew[rank];
  while (taken_ < limit && advance()) ++taken_;
  bool streams_idle = std::all_of(streams_.begin(), streams_.end(), [](const Stream* stream) { return stream->idle(); });
  if (taken_ >= limit) {
    report.stopped = fmt::format("hang: {} steps without an end", config_.step_limit);
  } else if (!hosts_->all_finished() || !streams_idle) {
    report.stopped = why_stopped();
  }
  if (!report.stopped.empty()) show_waits(report);
  hosts_->stop(shown);
  hosts_->join();
  look_at_all();
  end_of_run();
  for (int rank = 0; rank < config_.ranks; ++rank) report.failures.push_back(hosts_->host(rank).failure);
  return report;
}

size_t Machine::pick(ChoiceKind kind, std::span<const Option> options) {
  if (options.size() == 1 || fixed_) return 0;
  size_t index = chooser_->choose(kind, options);
  if (kind == ChoiceKind::next && index == Chooser::stop) return index;
  RELOADLAB_CHECK(index < options.size(), "a chooser takes one of the options");
  schedule_.push_back(static_cast<uint32_t>(index));
  widths_.push_back(static_cast<uint32_t>(options.size()));
  return index;
}

size_t Machine::choose(ChoiceKind kind, size_t count) {
  std::vector<Option> options(count);
  return pick(kind, options);
}

std::string Machine::actor_name(ActorId actor) const { return modelled::actor_name(actor, config_.ranks); }

void Machine::set_label(LabelPtr label) { hosts_->here().label = std::move(label); }

LabelPtr Machine::label() const { return hosts_->here().label; }

int Machine::device_of(ActorId actor) const { return actor <= config_.ranks ? actor % config_.ranks : stream_of(actor).device; }

Picoseconds Machine::elapsed() const { return elapsed_; }

void Machine::show_waits(RunReport& report) const {
  const auto show = [&](const std::string& line, const LabelPtr& label) {
    report.waits.push_back(label ? fmt::format("{} ({})", line, label->text) : line);
    if (label && label->step >= 0 && (report.stopped_in < 0 || label->step < report.stopped_in)) report.stopped_in = label->step;
  };
  for (int rank = 0; rank < config_.ranks; ++rank) {
    const Host& host = hosts_->host(rank);
    if (host.state == Host::State::parked) show(fmt::format("host {} waits for {}", rank, host.what()), host.label);
    if (host.state == Host::State::running) show(fmt::format("host {} runs", rank), host.label);
  }
  for (const Stream* stream : streams_)
    if (!stream->idle()) show(fmt::format("{} waits for {}", stream->name(), waits_for(*stream)), stream->front().label);
}

std::string Machine::picture() const {
  RunReport seen;
  show_waits(seen);
  std::string text;
  for (const std::string& line : seen.waits) text += line + "\n";
  return text;
}

std::string Machine::waits_for(const Stream& stream) const {
  const Action& action = stream.front().action;
  if (auto* wait = std::get_if<Wait>(&action)) return *wait->point->name;
  auto* part = std::get_if<Part>(&action);
  if (!part) return "its turn";
  const Collective& collective = *part->collective;
  if (!collective.mismatch.empty()) return fmt::format("{}, which cannot complete: {}", *collective.name, collective.mismatch);
  std::string missing;
  for (size_t rank = 0; rank < collective.seats.size(); ++rank) {
    const Collective::Seat& seat = collective.seats[rank];
    if (seat.started) continue;
    missing += fmt::format("{}{} {}", missing.empty() ? "" : ", ", rank, seat.issued ? "(behind other work)" : "(not issued)");
  }
  return fmt::format("{}: rank {}", *collective.name, missing);
}

}  // namespace reloadlab::sim::modelled
