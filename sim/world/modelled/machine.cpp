#include "sim/world/modelled/machine.h"

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

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

std::string Stream::name() const { return fmt::format("stream {} of sim:{}", id, device); }

Machine::Machine(MachineConfig config, std::unique_ptr<Chooser> chooser)
    : config_(config),
      chooser_(std::move(chooser)),
      memory_(std::make_shared<Memory>(config.ranks, config.poison)),
      devices_(static_cast<size_t>(config.ranks)),
      pool_next_(static_cast<size_t>(config.ranks), 0),
      running_collectives_(static_cast<size_t>(config.ranks), 0),
      hosts_(std::make_unique<Hosts>(config.ranks, config.stuck_seconds)),
      rendezvous_(std::make_unique<Rendezvous>()) {
  RELOADLAB_CHECK(the_machine() == nullptr, "one machine at a time");
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
  stream->actor = static_cast<ActorId>(config_.ranks + 1 + static_cast<int>(streams_.size()));
  stream->device = device;
  stream->id = static_cast<int64_t>(streams.size());
  streams_.push_back(stream.get());
  return *streams.emplace_back(std::move(stream));
}

Stream& Machine::pool_stream(int device) {
  // The pool's streams are made as they are first asked for; others may have been made in between, so they are found by turn.
  int turn = pool_next_[static_cast<size_t>(device)]++;
  auto& pool = pool_[{device, turn % pool_streams}];
  if (!pool) pool = &new_stream(device);
  return *pool;
}

int Machine::device() const { return hosts_->here().device; }
void Machine::set_device(int device) { hosts_->here().device = device; }
int64_t Machine::current_stream(int device) const { return hosts_->here().current_stream.at(static_cast<size_t>(device)); }
void Machine::set_current_stream(int device, int64_t id) { hosts_->here().current_stream.at(static_cast<size_t>(device)) = id; }

void Machine::issue(Stream& stream, Action action) {
  auto* wait = std::get_if<Wait>(&action);
  std::shared_ptr<Capture> capture = stream.capture ? stream.capture : wait ? wait->point->capture : nullptr;
  if (capture) return capture->add(capture, stream, std::move(action));
  if (auto* part = std::get_if<Part>(&action)) {
    Collective::Seat& seat = part->collective->seats[part->index];
    seat.issued = true;
    seat.stream = stream.actor;
    seat.done = part->done;
  }
  Host& host = hosts_->here();
  stream.queue.push_back({std::move(action), std::exchange(stream.fills, {}), hosts_->knowledge(host), host.now});
}

PointPtr Machine::record(Stream& stream, std::string name) {
  auto point = std::make_shared<Point>();
  point->name = std::move(name);
  issue(stream, Record{point});
  return point;
}

void Machine::wait(Stream& stream, const PointPtr& point) { issue(stream, Wait{point}); }

void Machine::fill(Stream& stream, Kernel kernel) {
  if (stream.capture) return issue(stream, std::move(kernel));
  stream.fills.push_back(std::move(kernel));
}

// Hosts.

void Machine::host_wait(const PointPtr& point) {
  TORCH_CHECK(!point->capture, "a host cannot wait for ", point->name, ": it belongs to a capture");
  host_wait([point] { return point->done; }, [point] { return point->name; });
  host_joins(*point);
}

void Machine::host_wait(const std::function<bool()>& ready, const std::function<std::string()>& what) {
  if (hosts_->on_rank_thread()) {
    hosts_->park(ready, what);
  } else {
    while (!ready()) TORCH_CHECK(advance(), "deadlock: the driver waits for ", what(), ", and nothing can go on\n", joined_lines(waits()));
  }
  TORCH_CHECK(device_error_.empty(), "a kernel failed earlier: ", device_error_);
}

bool Machine::host_query(const PointPtr& point) {
  TORCH_CHECK(!point->capture, "a host cannot query ", point->name, ": it belongs to a capture");
  host_wait([] { return true; }, [point] { return "a query of " + point->name; });
  if (point->done) host_joins(*point);
  return point->done;
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
    if (!stream->idle()) points.push_back(record(*stream, "all of " + stream->name()));
  }
  for (const PointPtr& point : points) host_wait(point);
}

// The scheduler.

RunReport Machine::run(const std::function<void(int)>& body) {
  RELOADLAB_CHECK(!hosts_->on_rank_thread(), "a run inside a run");
  OneCore pinned;
  auto picture = [this] { return joined_lines(waits()); };
  RunReport report;
  int64_t limit = taken_ + config_.step_limit;
  hosts_->start(body);
  while (taken_ < limit && advance()) ++taken_;
  bool streams_idle = std::all_of(streams_.begin(), streams_.end(), [](const Stream* stream) { return stream->idle(); });
  if (taken_ >= limit) {
    report.stopped = fmt::format("hang: {} steps without an end", config_.step_limit);
  } else if (!hosts_->all_finished() || !streams_idle) {
    report.stopped = "deadlock: nothing can go on";
  }
  if (!report.stopped.empty()) report.waits = waits();
  hosts_->stop(picture);
  hosts_->join();
  for (int rank = 0; rank < config_.ranks; ++rank) report.failures.push_back(hosts_->host(rank).failure);
  return report;
}

size_t Machine::pick(ChoiceKind kind, std::span<const Option> options) {
  if (options.size() == 1) return 0;
  size_t index = chooser_->choose(kind, options);
  RELOADLAB_CHECK(index < options.size(), "a chooser takes one of the options");
  schedule_.push_back(static_cast<uint32_t>(index));
  widths_.push_back(static_cast<uint32_t>(options.size()));
  return index;
}

size_t Machine::choose(ChoiceKind kind, size_t count) {
  std::vector<Option> options(count);
  return pick(kind, options);
}

bool Machine::advance() {
  options_.clear();
  for (int rank = 0; rank < config_.ranks; ++rank) {
    const Host& host = hosts_->host(rank);
    if (host.state == Host::State::parked && host.ready()) options_.push_back({host.actor, host.now});
  }
  for (const Stream* stream : streams_)
    if (config_.concurrent_collectives == 0) admit(*stream);
  for (const Stream* stream : streams_)
    if (enabled(*stream)) options_.push_back(option(*stream));
  if (options_.empty()) return false;
  ActorId actor = options_[pick(ChoiceKind::next, options_)].actor;
  if (actor < config_.ranks) {
    hosts_->go_on(hosts_->host(actor), [this] { return joined_lines(waits()); });
  } else {
    execute(stream_of(actor));
  }
  return true;
}

std::string Machine::actor_name(ActorId actor) const {
  if (actor < config_.ranks) return fmt::format("host {}", actor);
  if (actor == config_.ranks) return "driver";
  return stream_of(actor).name();
}

int Machine::device_of(ActorId actor) const { return actor <= config_.ranks ? actor % config_.ranks : stream_of(actor).device; }

Picoseconds Machine::elapsed() const { return elapsed_; }

std::vector<std::string> Machine::waits() const {
  std::vector<std::string> lines;
  for (int rank = 0; rank < config_.ranks; ++rank) {
    const Host& host = hosts_->host(rank);
    if (host.state == Host::State::parked) lines.push_back(fmt::format("host {} waits for {}", rank, host.what()));
    if (host.state == Host::State::running) lines.push_back(fmt::format("host {} runs", rank));
  }
  for (const Stream* stream : streams_)
    if (!stream->idle()) lines.push_back(fmt::format("{} waits for {}", stream->name(), waits_for(*stream)));
  return lines;
}

std::string Machine::waits_for(const Stream& stream) const {
  const Action& action = stream.front().action;
  if (auto* wait = std::get_if<Wait>(&action)) return wait->point->name;
  auto* part = std::get_if<Part>(&action);
  if (!part) return "its turn";
  const Collective& collective = *part->collective;
  if (!collective.mismatch.empty()) return fmt::format("{}, which cannot complete: {}", collective.name, collective.mismatch);
  std::string missing;
  for (size_t rank = 0; rank < collective.seats.size(); ++rank) {
    const Collective::Seat& seat = collective.seats[rank];
    if (seat.started) continue;
    missing += fmt::format("{}{} {}", missing.empty() ? "" : ", ", rank, seat.issued ? "(behind other work)" : "(not issued)");
  }
  return fmt::format("{}: rank {}", collective.name, missing);
}

}  // namespace reloadlab::sim::modelled
