#include "sim/world/modelled/capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/world/modelled/memory.h"
#include "sim/world/order/seen_races.h"

namespace reloadlab::sim::modelled {

Capture::Capture(Stream& origin) : origin_(&origin), streams_{&origin} { clocks_.emplace_back(origin.actor, Clock()); }

Clock& Capture::clock_of(const Stream& stream) {
  auto found = std::find_if(clocks_.begin(), clocks_.end(), [&](const auto& entry) { return entry.first == stream.actor; });
  if (found != clocks_.end()) return found->second;
  return clocks_.emplace_back(stream.actor, Clock()).second;
}

void Capture::add(const std::shared_ptr<Capture>& self, Stream& stream, Action action, LabelPtr label) {
  if (auto* wait = std::get_if<Wait>(&action)) {
    TORCH_CHECK(!ended_, "capture: ", stream.name(), " waits for ", *wait->point->name, ", which belongs to a capture that has ended");
    TORCH_CHECK(wait->point->capture, "capture: ", stream.name(), " waits for ", *wait->point->name,
                ", which was recorded before the capture began");
    TORCH_CHECK(wait->point->capture == self, "capture: ", stream.name(), " waits for ", *wait->point->name, " of another capture");
    if (!stream.capture) {
      stream.capture = self;
      streams_.push_back(&stream);
    }
    clock_of(stream).join(wait->point->captured_clock);
  }
  Clock& clock = clock_of(stream);
  clock.tick(stream.actor);
  auto mark = [&](const PointPtr& point) {
    point->capture = self;
    point->captured_clock = clock;
  };
  if (auto* record = std::get_if<Record>(&action)) mark(record->point);
  if (auto* part = std::get_if<Part>(&action)) mark(part->done);
  actions_.push_back({stream.actor, std::move(action), std::move(label)});
}

void Capture::end() {
  ended_ = true;
  for (Stream* stream : streams_) stream->capture = nullptr;
}

std::string Capture::unjoined() const {
  const Clock& joined = clocks_.front().second;
  for (const Stream* stream : streams_)
    for (const auto& [actor, clock] : clocks_)
      if (actor == stream->actor && clock.at(actor) > joined.at(actor)) return stream->name();
  return {};
}

Graph::~Graph() {
  if (Machine* machine = Machine::current(); machine && capture_) machine->memory().end_pool(capture_.get());
}

void Graph::capture_begin() {
  Machine& machine = Machine::required();
  Stream& origin = machine.stream(machine.device(), machine.current_stream(machine.device()));
  TORCH_CHECK(!origin.capture, "capture: ", origin.name(), " is already capturing");
  TORCH_CHECK(!capture_, "capture: this graph has been captured before");
  capture_ = std::make_shared<Capture>(origin);
  origin.capture = capture_;
}

void Graph::capture_end() {
  Machine& machine = Machine::required();
  TORCH_CHECK(capture_ && !finished_, "capture: none is open");
  std::string unjoined = capture_->unjoined();
  capture_->end();
  if (!unjoined.empty()) {
    machine.memory().end_pool(capture_.get());
    capture_ = nullptr;
    TORCH_CHECK(false, "capture: ", unjoined, " was forked and never joined");
  }
  for (Stream* stream : capture_->streams())
    if (stream->actor != capture_->origin().actor) branches_.emplace_back(stream->actor, &machine.new_stream(stream->device));
  finished_ = true;
}

void Graph::replay() {
  TORCH_CHECK(finished_, "replay: no finished capture");
  Machine& machine = Machine::required();
  int device = capture_->origin().device;
  Stream& launch = machine.stream(device, machine.current_stream(device));
  std::map<const Point*, PointPtr> points;  // captured -> this replay's
  auto stream_of = [&](ActorId actor) -> Stream& {
    for (const auto& [captured, branch] : branches_)
      if (captured == actor) return *branch;
    return launch;
  };
  const LabelPtr label = machine.label();
  for (const Capture::Captured& captured : capture_->actions()) {
    machine.set_label(replayed(label, captured.label));
    Stream& stream = stream_of(captured.stream);
    if (auto* kernel = std::get_if<Kernel>(&captured.action)) machine.issue(stream, *kernel);
    if (auto* record = std::get_if<Record>(&captured.action)) points[record->point.get()] = machine.record(stream, record->point->name);
    if (auto* wait = std::get_if<Wait>(&captured.action)) machine.wait(stream, points.at(wait->point.get()));
    if (auto* part = std::get_if<Part>(&captured.action)) {
      Part live = part->issue_again();
      points[part->done.get()] = live.done;
      machine.issue(stream, std::move(live));
    }
  }
  machine.set_label(label);
}

}  // namespace reloadlab::sim::modelled
