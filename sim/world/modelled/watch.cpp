// What a chooser that watches is told: turns, put together as they are taken.
#include <algorithm>

#include "sim/world/modelled/hosts.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {

void Machine::open_turn(ActorId actor) {
  if (!watched_) return;
  open_ = {};
  open_.actor = actor;
  open_.footprint.actors = {actor};
}

// Asks what it was told no about before: in exploration as good as a wait, or there would be no end of asking.
bool Machine::looks_again(const Host& host) const {
  const std::vector<PointPtr>& looks = host.asked.looks;
  auto same = [](const PointPtr& point, int64_t id) { return point->id == id; };
  return !looks.empty() && std::equal(looks.begin(), looks.end(), host.told_no.begin(), host.told_no.end(), same);
}

bool Machine::asks_again(const Host& host) const {
  auto done = [](const PointPtr& point) { return point->done; };
  return looks_again(host) && std::none_of(host.asked.looks.begin(), host.asked.looks.end(), done);
}

// A host's turn comes after its last one, after what it waited for, and begins with what it looks at.
void Machine::open_host_turn(Host& host) {
  open_turn(host.actor);
  int64_t before = std::exchange(host.turn, turn_);
  bool again = looks_again(host);
  host.told_no.clear();
  for (const PointPtr& point : host.asked.looks)
    if (!point->done) host.told_no.push_back(point->id);
  if (host.told_no.size() != host.asked.looks.size()) host.told_no.clear();
  if (!watched_) return;
  open_.name = "host";
  open_.after_all = host.timed_out;  // only then could nothing else go on
  if (before >= 0) open_.after.push_back(before);
  if (host.asked.waits) open_.after.push_back(host.asked.waits->marked_in);
  for (const PointPtr& point : host.asked.looks) {
    open_.footprint.queries.push_back(point->id);
    if (again && point->done) open_.after.push_back(point->marked_in);
  }
  open_.footprint.keys = host.asked.keys;
  open_.footprint.host_writes = {host.actor};
}

void Machine::close_turn(const Clock& clock) {
  if (!watched_) return;
  if (open_.clocks.empty()) open_.clocks = {clock};
  Turn turn = std::move(open_);
  open_ = {};
  std::erase_if(turn.after, [](int64_t before) { return before < 0; });
  chooser_->took(turn_, turn);
}

// The driver goes on after everything that was done in a run.
void Machine::end_of_run() {
  Host& driver = hosts_->host(config_.ranks);
  ++turn_;
  driver.asked = {};
  open_host_turn(driver);
  open_.after_all = true;
  close_turn(driver.clock);
}

void Machine::uses(int device) {
  if (watched_) open_.footprint.tails.push_back(-1 - device);
}

std::string Machine::why_stopped() const {
  if (abandoned_) return "the chooser ended the run";
  if (asking_ > config_.poll_limit) return "hang: hosts only ask whether something is done, and nothing else can go on";
  return "deadlock: nothing can go on";
}

}  // namespace reloadlab::sim::modelled
