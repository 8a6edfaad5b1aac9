#include "sim/world/order/stream_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "sim/world/order/seen_races.h"

namespace reloadlab::sim {
namespace {

// The system gives a thread's number to the next one.
int64_t this_thread() {
  static std::atomic<int64_t> threads = 0;
  thread_local const int64_t own = threads++;
  return own;
}

}  // namespace

void StreamOrder::label(About about) {
  const std::lock_guard lock(mutex_);
  label_ = std::make_shared<const About>(std::move(about));
}

StreamOrder::Queue StreamOrder::new_queue(std::string name) {
  names_.push_back(std::move(name));
  return {.actor = static_cast<ActorId>(names_.size()) - 1, .clock = {}, .capture = {}};
}

StreamOrder::Queue& StreamOrder::queue(Handle stream) {
  if (const auto found = streams_.find(stream); found != streams_.end()) return found->second;
  return streams_.emplace(stream, new_queue(fmt::format("stream {} of {}", streams_.size(), device_))).first->second;
}

Clock& StreamOrder::host() {
  const auto [found, fresh] = hosts_.try_emplace(this_thread());
  if (fresh)
    for (const auto& [thread, clock] : hosts_) found->second.join(clock);
  return found->second;
}

// Whatever a stream does comes after what it did, and after what its issuer knew.
void StreamOrder::go_on(Queue& stream) {
  stream.clock.tick(stream.actor);
  stream.clock.join(host());
}

void StreamOrder::keep(Queue& stream, Handle handle, Action action) {
  action.stream = stream.capture->position(handle);
  action.label = label_;
  stream.capture->actions.push_back(std::move(action));
}

size_t StreamOrder::Capture::position(Handle stream) const {
  return static_cast<size_t>(std::ranges::find(streams, stream) - streams.begin());
}

// Edges.

void StreamOrder::record(Handle event, Handle stream) {
  const std::lock_guard lock(mutex_);
  Queue& recorded = queue(stream);
  if (recorded.capture) {
    const size_t point = recorded.capture->points++;
    keep(recorded, stream, {.kind = Action::Kind::record, .stream = 0, .point = point});
    events_[event] = {.clock = {}, .capture = recorded.capture, .point = point};
    return;
  }
  go_on(recorded);
  events_[event] = {.clock = recorded.clock, .capture = {}};
}

void StreamOrder::wait(Handle stream, Handle event) {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event);
  if (found == events_.end()) return;  // never recorded: nothing to wait for
  Queue& waiting = queue(stream);
  const Mark& mark = found->second;
  if (!mark.capture) {
    go_on(waiting);
    waiting.clock.join(mark.clock);
    return;
  }
  if (!waiting.capture) {
    waiting.capture = mark.capture;
    mark.capture->streams.push_back(stream);
  }
  keep(waiting, stream, {.kind = Action::Kind::wait, .stream = 0, .point = mark.point});
}

void StreamOrder::synchronize(Handle stream) {
  const std::lock_guard lock(mutex_);
  host().join(queue(stream).clock);
}

void StreamOrder::synchronize_with(Handle event) {
  const std::lock_guard lock(mutex_);
  if (const auto found = events_.find(event); found != events_.end()) host().join(found->second.clock);
}

void StreamOrder::synchronize_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& [handle, stream] : streams_) host().join(stream.clock);
}

void StreamOrder::forget(Handle event) {
  const std::lock_guard lock(mutex_);
  events_.erase(event);
}

// Accesses.

void StreamOrder::touch(Handle stream, const std::string& operation, const std::vector<Access>& accesses) {
  const std::lock_guard lock(mutex_);
  Queue& own = queue(stream);
  if (own.capture) return keep(own, stream, {.kind = Action::Kind::touch, .stream = 0, .operation = operation, .accesses = accesses});
  access(own, operation, accesses, label_);
}

void StreamOrder::access(Queue& stream, const std::string& operation, const std::vector<Access>& accesses, const LabelPtr& label) {
  go_on(stream);
  ++steps_;
  AccessSite site{.actor = stream.actor,
                  .tick = stream.clock.at(stream.actor),
                  .step = steps_,
                  .issue = steps_,
                  .operation = operation,
                  .label = label};
  for (const Access& each : accesses) {
    site.write = each.write;
    races_.access(site, each, stream.clock);
  }
}

void StreamOrder::touch_unseen(Handle stream, const std::string& operation) {
  const std::lock_guard lock(mutex_);
  note_unseen(queue(stream), operation);
}

void StreamOrder::note_unseen(const Queue& stream, const std::string& operation) {
  ++unseen_count_;
  if (!unseen_.empty()) return;
  const std::string about = label_ ? fmt::format(" ({})", label_->text) : "";
  unseen_ = fmt::format("what {} on {}{} touches was not seen", operation, name_of(stream.actor), about);
}

std::string StreamOrder::unseen() const {
  const std::lock_guard lock(mutex_);
  return unseen_count_ > 1 ? fmt::format("{}, and {} more", unseen_, unseen_count_ - 1) : unseen_;
}

// Graphs.

void StreamOrder::begin_capture(Handle stream) {
  const std::lock_guard lock(mutex_);
  queue(stream).capture = std::make_shared<Capture>(Capture{.streams = {stream}, .actions = {}});
}

void StreamOrder::end_capture(Handle stream, Handle graph) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Capture> capture = queue(stream).capture;
  if (!capture) return;
  for (Handle each : capture->streams) queue(each).capture = nullptr;
  if (graph) graphs_[graph] = capture;
}

void StreamOrder::instantiate(Handle executable, Handle graph) {
  const std::lock_guard lock(mutex_);
  executables_.erase(executable);
  const auto found = graphs_.find(graph);
  if (found == graphs_.end()) return;
  Executable made{.capture = found->second, .branches = {}};
  for (size_t i = 1; i < found->second->streams.size(); ++i)
    made.branches.push_back(new_queue(fmt::format("branch {} of a graph of {}", i, device_)));
  executables_.emplace(executable, std::move(made));
}

void StreamOrder::launch(Handle executable, Handle stream) {
  const std::lock_guard lock(mutex_);
  Queue& launching = queue(stream);
  const auto found = executables_.find(executable);
  if (found == executables_.end()) return note_unseen(launching, "a graph");
  if (launching.capture) return note_unseen(launching, "a graph inside a graph");
  replay(found->second, launching);
}

// A branch begins by waiting for an event of the capture: that is how it came into it.
void StreamOrder::replay(Executable& what, Queue& launching) {
  go_on(launching);
  std::vector<Clock> points(what.capture->points);
  for (const Action& action : what.capture->actions) {
    Queue& stream = action.stream == 0 ? launching : what.branches.at(action.stream - 1);
    switch (action.kind) {
      case Action::Kind::touch:
        access(stream, action.operation, action.accesses, replayed(label_, action.label));
        break;
      case Action::Kind::record:
        go_on(stream);
        points[action.point] = stream.clock;
        break;
      case Action::Kind::wait:
        go_on(stream);
        stream.clock.join(points[action.point]);
        break;
    }
  }
  for (const Queue& branch : what.branches) launching.clock.join(branch.clock);
}

}  // namespace reloadlab::sim
