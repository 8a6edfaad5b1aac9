// How the head of a stream executes.
#include "reference/base/check.h"
#include "sim/world/modelled/device.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {
// A part takes its place among the collectives that its device runs at once when it comes to the head of its queue; where places are
// few, taking one is a step of its own.
void Machine::admit(const Stream& stream) {
  auto* part = stream.idle() ? nullptr : std::get_if<Part>(&stream.front().action);
  if (!part || part->collective->seats[part->index].started) return;
  Collective& collective = *part->collective;
  collective.seats[part->index].started = true;
  ++running_collectives_[static_cast<size_t>(stream.device)];
  places_changed(stream);
  // The rank that comes last in the group offers the completion.
  if (++collective.started == collective.seats.size()) changed(collective.seats.back().stream);
}

bool Machine::enabled(const Stream& stream) const {
  if (stream.idle()) return false;
  const Action& action = stream.front().action;
  if (auto* wait = std::get_if<Wait>(&action)) return wait->point->done;
  auto* part = std::get_if<Part>(&action);
  if (!part) return true;
  const Collective& collective = *part->collective;
  if (!collective.aborted.empty()) return true;
  if (!collective.seats[part->index].started)
    return running_collectives_[static_cast<size_t>(stream.device)] < config_.concurrent_collectives;
  if (!collective.mismatch.empty()) return false;
  // One rank offers the completion, so that it is one choice and not one a rank.
  return collective.started == collective.seats.size() && part->index + 1 == collective.seats.size();
}

Option Machine::option(const Stream& stream) const {
  const Stream::Queued& queued = stream.front();
  Picoseconds ready = std::max(stream.free_at, queued.issued_at);
  if (auto* wait = std::get_if<Wait>(&queued.action)) ready = std::max(ready, wait->point->time);
  if (auto* part = std::get_if<Part>(&queued.action); part && part->collective->aborted.empty()) {
    for (const Collective::Seat& seat : part->collective->seats) {
      if (!seat.started) continue;
      const Stream& other = stream_of(seat.stream);
      ready = std::max({ready, other.free_at, other.front().issued_at});
    }
  }
  return {.actor = stream.actor, .ready_at = ready, .kernel = std::holds_alternative<Kernel>(queued.action)};
}

// What every action does first: it comes after its stream's last one and after what its issuer knew.
Picoseconds Machine::begin(Stream& stream, const Stream::Queued& queued) {
  stream.clock.tick(stream.actor);
  stream.label = queued.label;
  stream.issue = queued.number;
  if (watched_) open_.after.push_back(queued.issued_in);
  if (stream.joined != queued.issued) {
    stream.clock.join(*queued.issued);
    stream.joined = queued.issued;
  }
  Picoseconds start = std::max(stream.free_at, queued.issued_at);
  for (const Kernel& fill : queued.fills) execute_kernel(stream, fill, start);
  return start;
}

void Machine::execute(Stream& stream) {
  if (auto* part = std::get_if<Part>(&stream.front().action)) {
    std::shared_ptr<Collective> collective = part->collective;
    if (!collective->aborted.empty()) return give_up(stream, *collective, collective->seats[part->index]);
    if (collective->seats[part->index].started) return complete(*collective);
    if (watched_) {
      open_.name = "a place for " + *collective->name;
      open_.after = {stream.front().issued_in};
      open_.footprint.places = {stream.device};
      open_.takes_place = true;
    }
    return admit(stream);
  }
  Stream::Queued queued = std::move(stream.queue.front());
  pop(stream);
  Picoseconds start = begin(stream, queued);
  if (auto* kernel = std::get_if<Kernel>(&queued.action)) {
    execute_kernel(stream, *kernel, start);
    stream.free_at = start + cost_of(*kernel, stream, start);
    Picoseconds& busy_until = kernels_end_[static_cast<size_t>(stream.device)];
    busy_until = std::max(busy_until, stream.free_at);
    step(stream, kernel->name, start, stream.free_at);
  } else if (auto* record = std::get_if<Record>(&queued.action)) {
    record->point->clock = stream.clock;
    record->point->time = start;
    record->point->done = true;
    marked(*record->point);
    step(stream, "record", start, start, record->point->id);
  } else {
    const Point& point = *std::get<Wait>(queued.action).point;
    stream.clock.join(point.clock);
    stream.free_at = std::max(start, point.time);
    if (watched_) open_.after.push_back(point.marked_in);
    step(stream, "wait", start, stream.free_at, point.id);
  }
}

// Beside a collective that has begun: one that begins later, or that the schedule has not come to, slows nothing.
Picoseconds Machine::cost_of(const Kernel& kernel, const Stream& stream, Picoseconds start) const {
  if (kernel.undisturbed) return kernel.cost;
  const auto& [from, to] = collective_times_[static_cast<size_t>(stream.device)];
  const Picoseconds rest = std::max<Picoseconds>(0, start - kernels_end_[static_cast<size_t>(stream.device)]);
  const Picoseconds cost = rested(config_.rates, kernel.cost, rest);
  return start >= from && start < to ? slowed(config_.rates, cost, to - start) : cost;
}

void Machine::execute_kernel(Stream& stream, const Kernel& kernel, Picoseconds) {
  touch(stream, kernel.name, kernel.accesses);
  if (watched_ && kernel.host >= 0) open_.footprint.host_accesses.push_back(kernel.host);
  if (!device_error_.empty() || !config_.bytes) return;
  if (memory_->hits_sleeping(kernel.name + " on " + stream.name(), kernel.accesses)) return;
  try {
    on_device([&] { kernel.run(); });
  } catch (const c10::Error& error) {
    device_error_ = fmt::format("{} on {}: {}", kernel.name, stream.name(), error.what_without_backtrace());
  } catch (const std::exception& error) {
    device_error_ = fmt::format("{} on {}: {}", kernel.name, stream.name(), error.what());
  }
  open_.footprint.everything |= !device_error_.empty();
}

void Machine::marked(Point& point) {
  point.marked_in = turn_;
  if (watched_) open_.footprint.marks.push_back(point.id);
  for (ActorId actor : std::exchange(point.waiting, {})) changed(actor);
}

void Machine::complete(Collective& collective) {
  Clock senders;
  Picoseconds start = 0;
  bool mapped = true;
  for (const Collective::Seat& seat : collective.seats) {
    Stream& stream = stream_of(seat.stream);
    start = std::max(start, begin(stream, stream.front()));
  }
  for (const Collective::Seat& seat : collective.seats)
    if (seat.sends) senders.join(stream_of(seat.stream).clock);
  open_.footprint.actors.clear();
  if (watched_ && !collective.group.empty()) open_.footprint.keys.push_back({collective.group, false});
  for (Collective::Seat& seat : collective.seats) {
    Stream& stream = stream_of(seat.stream);
    stream.clock.join(senders);  // a lone sender hears only itself, and waits for nobody
    touch(stream, *collective.name, seat.accesses);
    if (memory_->hits_sleeping(*collective.name + " on " + stream.name(), seat.accesses)) mapped = false;
    stream.free_at = start + collective.cost;
    collective_times_[static_cast<size_t>(stream.device)] = {start, stream.free_at};
    seat.done->clock = stream.clock;
    seat.done->time = stream.free_at;
    seat.done->done = true;
    marked(*seat.done);
    --running_collectives_[static_cast<size_t>(stream.device)];
    places_changed(stream);
    if (watched_ && config_.concurrent_collectives > 0) open_.footprint.places.push_back(stream.device);
    if (watched_) {
      open_.footprint.actors.push_back(stream.actor);
      open_.clocks.push_back(stream.clock);
    }
    step(stream, *collective.name, start, stream.free_at, seat.done->id);
    pop(stream);
  }
  if (config_.bytes && mapped) on_device([&] { collective.run(); });
}

void Machine::pop(Stream& stream) {
  changed(stream);
  stream.queue.pop_front();
}

void Machine::step(Stream& stream, const std::string& name, Picoseconds start, Picoseconds end, int64_t point) {
  ++step_count_;
  if (config_.timeline) steps_.push_back({stream.actor, name, start, end, stream.label, point});
  if (watched_) open_.name = name;
  elapsed_ = std::max(elapsed_, end);
}

void Machine::touch(const Stream& stream, const std::string& name, const std::vector<Access>& accesses) {
  AccessSite site{.actor = stream.actor,
                  .tick = stream.clock.at(stream.actor),
                  .step = step_count_,
                  .turn = turn_,
                  .issue = stream.issue,
                  .operation = name,
                  .label = stream.label};
  if (watched_) open_.footprint.accesses.insert(open_.footprint.accesses.end(), accesses.begin(), accesses.end());
  for (const Access& access : accesses) {
    site.write = access.write;
    races_.access(site, access, stream.clock);
  }
}

}  // namespace reloadlab::sim::modelled
