// Who can go on, and who does.
#include <algorithm>

#include "reference/base/check.h"
#include "sim/world/modelled/hosts.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {

void Machine::changed(Stream& stream) {
  if (std::exchange(stream.stale, true)) return;
  stale_.push_back(stream.actor);
}

void Machine::changed(ActorId actor) {
  if (actor > config_.ranks) return changed(stream_of(actor));
  stale_.push_back(actor);
}

// Where places for collectives are few, whoever waits for one on the device can perhaps go on.
void Machine::places_changed(const Stream& stream) {
  if (config_.concurrent_collectives == 0) return;
  for (auto& other : devices_[static_cast<size_t>(stream.device)]) changed(*other);
}

void Machine::look_again(ActorId actor) {
  PointPtr missing;
  if (actor > config_.ranks) {
    Stream& stream = stream_of(actor);
    stream.stale = false;
    if (config_.concurrent_collectives == 0) admit(stream);
    ready_.set(actor, enabled(stream));
    auto* wait = stream.idle() ? nullptr : std::get_if<Wait>(&stream.front().action);
    if (wait && !wait->point->done) missing = wait->point;
  } else if (actor < config_.ranks) {
    const Host& host = hosts_->host(actor);
    bool parked = host.state == Host::State::parked;
    ready_.set(actor, parked && host.ready());
    if (parked && host.asked.waits && !host.asked.waits->done) missing = host.asked.waits;
  }
  if (missing) missing->waiting.push_back(actor);
}

// Looking at one may change another: the last part of a collective that is admitted makes the collective ready.
void Machine::refresh() {
  for (size_t i = 0; i < stale_.size(); ++i) look_again(stale_[i]);
  stale_.clear();
}

void Machine::look_at_all() {
  for (ActorId host = 0; host < config_.ranks; ++host) changed(host);
  for (Stream* stream : streams_) changed(*stream);
}

void Machine::nobody_forgotten() {
  look_at_all();
  refresh();
  RELOADLAB_CHECK(ready_.empty(), "somebody can go on, and nothing said so");
}

bool Machine::only_asking() const {
  for (ActorId actor = ready_.first(); actor >= 0; actor = ready_.first(actor + 1))
    if (actor > config_.ranks || !asks_again(hosts_->host(actor))) return false;
  return true;
}

void Machine::collect_options() {
  options_.clear();
  for (ActorId actor = ready_.first(); actor >= 0; actor = ready_.first(actor + 1)) {
    if (actor > config_.ranks) {
      options_.push_back(option(stream_of(actor)));
    } else {
      const Host& host = hosts_->host(actor);
      options_.push_back({.actor = host.actor, .ready_at = host.now, .asks_again = asks_again(host)});
    }
  }
}

// The actor, or Chooser::stop.
size_t Machine::pick_next() {
  if (ready_.size() == 1 || fixed_) return static_cast<size_t>(ready_.first());
  if (ActorId actor = chooser_->choose_by_number(ready_); actor >= 0) {
    schedule_.push_back(static_cast<uint32_t>(ready_.before(actor)));
    widths_.push_back(static_cast<uint32_t>(ready_.size()));
    return static_cast<size_t>(actor);
  }
  collect_options();
  size_t index = pick(ChoiceKind::next, options_);
  return index == Chooser::stop ? index : static_cast<size_t>(options_[index].actor);
}

bool Machine::advance(bool driver) {
  refresh();
  ready_.set(config_.ranks, driver);
  bool asking = only_asking();
  if (asking && expire()) {
    refresh();
    asking = only_asking();
  }
  asking_ = asking ? asking_ + 1 : 0;
  if (ready_.empty()) nobody_forgotten();
  if (ready_.empty() || asking_ > config_.poll_limit) return false;
  size_t next = pick_next();
  abandoned_ = next == Chooser::stop;
  if (abandoned_) return false;
  auto actor = static_cast<ActorId>(next);
  ++turn_;
  changed(actor);
  if (actor <= config_.ranks) {
    Host& host = hosts_->host(actor);
    open_host_turn(host);
    if (actor < config_.ranks) hosts_->go_on(host, [this] { return picture(); });
    close_turn(host.clock);
  } else {
    Stream& stream = stream_of(actor);
    open_turn(actor);
    execute(stream);
    close_turn(stream.clock);
  }
  return true;
}

}  // namespace reloadlab::sim::modelled
