// What ends early: waits whose time is up, and collectives that were aborted.
#include "sim/world/modelled/hosts.h"
#include "sim/world/modelled/machine.h"
#include "sim/world/modelled/rendezvous.h"

namespace reloadlab::sim::modelled {

bool Machine::host_wait_for(const PointPtr& point, std::chrono::milliseconds limit) {
  constexpr Picoseconds picoseconds_in_ms = 1'000'000'000;
  Host& host = hosts_->here();
  Picoseconds deadline = host.now + limit.count() * picoseconds_in_ms;
  auto ready = [point, &host] { return point->done || host.timed_out; };
  auto what = [point, limit] { return fmt::format("{}, for {} ms at most", *point->name, limit.count()); };
  host.timed_out = false;
  host_wait(ready, what, {.waits = point, .looks = {}, .keys = {}, .deadline = deadline});
  host.timed_out = false;
  host.asked.deadline = -1;
  bool in_time = point->done && point->time <= deadline;
  if (in_time) {
    host_joins(*point);
  } else {
    host.now = std::max(host.now, deadline);
  }
  return in_time;
}

// Nothing else can go on, so that time passes until the first deadline; ties by number.
bool Machine::expire() {
  Host* first = nullptr;
  for (int index = 0; index <= config_.ranks; ++index) {
    Host& host = hosts_->host(index);
    bool waits = host.state == Host::State::parked ? !host.ready() : index == config_.ranks && !hosts_->on_rank_thread();
    if (!waits || host.asked.deadline < 0 || host.timed_out) continue;
    if (!first || host.asked.deadline < first->asked.deadline) first = &host;
  }
  if (!first) return false;
  first->timed_out = true;
  changed(first->actor);
  return true;
}

void Machine::host_marks(Point& point) {
  const Host& host = hosts_->here();
  if (point.id < 0) point.id = next_point_++;
  point.clock = host.clock;
  point.time = host.now;
  point.done = true;
  marked(point);
  point.marked_in = host.turn;
}

void Machine::abort_group(const std::string& group, const std::string& why) {
  host_access(group, true);
  if (watched_) open_.takes_place = true;  // what could have completed cannot any more
  rendezvous_->abort(group, why);
  look_at_all();
}

// One rank's part of an aborted collective: no data moves, and who waits for it is told.
void Machine::give_up(Stream& stream, Collective& collective, Collective::Seat& seat) {
  Picoseconds start = begin(stream, stream.front());
  shares(collective.group);  // had it come before the abort, it might have completed
  if (seat.started) --running_collectives_[static_cast<size_t>(stream.device)];
  places_changed(stream);
  if (watched_ && config_.concurrent_collectives > 0) open_.footprint.places.push_back(stream.device);
  stream.free_at = start;
  seat.done->clock = stream.clock;
  seat.done->time = start;
  seat.done->failed = fmt::format("{}: {}", *collective.name, collective.aborted);
  seat.done->done = true;
  marked(*seat.done);
  step(stream, *collective.name + ", aborted", start, start);
  pop(stream);
}

}  // namespace reloadlab::sim::modelled
