#include "sim/world/modelled/hosts.h"

#include <ATen/ThreadLocalState.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <utility>

#include "sim/world/watchdog.h"

namespace reloadlab::sim::modelled {
namespace {

thread_local Host* rank_host = nullptr;  // null on threads that are no rank's: the driver's

constexpr int exit_hang = 6;
using namespace std::chrono_literals;

// The host neither parks nor ends, and a thread cannot be ended from outside: the process is given up, with the picture.
[[noreturn]] void give_up(const Host& host, double seconds, const std::string& picture) {
  const std::string text = fmt::format("rank {} has reached no operation of the modelled world for {} s\n{}", host.actor, seconds, picture);
  if (watchdog().before_end) watchdog().before_end(text);
  fmt::print(stderr, "{}", text);
  std::fflush(stderr);
  _exit(exit_hang);
}

std::chrono::nanoseconds processor_time(Host& host) {
  clockid_t clock = 0;
  timespec time = {};
  if (pthread_getcpuclockid(host.thread.native_handle(), &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// "1234 (name) S ...": anything but running or ready to run.
bool is_blocked(const Host& host) {
  std::ifstream file(fmt::format("/proc/self/task/{}/stat", host.thread_id.load()));
  std::string line;
  std::getline(file, line);
  size_t name_ends = line.rfind(')');
  return name_ends != std::string::npos && name_ends + 2 < line.size() && line[name_ends + 2] != 'R';
}

}  // namespace

// Those on which the thread that makes it may run. Where it is not allowed to ask or to take them, everything is only slower.
class Cores {
 public:
  Cores() : known_(sched_getaffinity(0, sizeof set_, &set_) == 0) {}
  bool known() const { return known_; }
  void take() const {
    if (known_) (void)sched_setaffinity(0, sizeof set_, &set_);
  }

 private:
  cpu_set_t set_ = {};
  bool known_;
};

Hosts::Hosts(int ranks, double stuck_seconds) : stuck_seconds_(watchdog().seconds > 0 ? watchdog().seconds : stuck_seconds) {
  for (int index = 0; index <= ranks; ++index) {
    auto host = std::make_unique<Host>();
    host->actor = index;
    host->device = index < ranks ? index : 0;
    host->current_stream.assign(static_cast<size_t>(ranks), 0);
    hosts_.push_back(std::move(host));
  }
}

Host& Hosts::here() { return rank_host ? *rank_host : *hosts_.back(); }
bool Hosts::on_rank_thread() const { return rank_host != nullptr; }

void Hosts::learn(Host& host, const Clock& clock, Picoseconds time) {
  host.clock.join(clock);
  host.known = nullptr;
  host.now = std::max(host.now, time);
}

const std::shared_ptr<const Clock>& Hosts::knowledge(Host& host) {
  if (!host.known) host.known = std::make_shared<const Clock>(host.clock);
  return host.known;
}

void Hosts::start(const std::function<void(int)>& body) {
  stopping_ = false;
  Host& driver = *hosts_.back();
  const at::ThreadLocalState settings;  // inference mode and the like hold in the ranks as they do around run()
  const Cores cores;
  for (int rank = 0; rank < ranks(); ++rank) {
    Host& next = host(rank);
    next.state = Host::State::parked;
    next.ready = [] { return true; };
    next.what = [] { return std::string("its start"); };
    next.failure = nullptr;
    next.device = rank;
    next.current_stream.assign(next.current_stream.size(), 0);
    next.asked = {};
    next.told_no.clear();
    next.timed_out = false;
    next.turn = driver.turn;
    learn(next, driver.clock, driver.now);
    next.run = [this, &next, &body, settings, cores] {
      cores.take();
      at::ThreadLocalStateGuard guard(settings);
      play(next, body);
    };
    if (!next.thread.joinable()) next.thread = std::thread([this, &next] { thread_body(next); });
  }
}

Hosts::~Hosts() {
  for (auto& host : hosts_) {
    if (!host->thread.joinable()) continue;
    host->run = nullptr;
    host->baton.give();
    host->thread.join();
  }
}

void Hosts::thread_body(Host& host) {
  rank_host = &host;
  host.thread_id = gettid();
  for (host.baton.take(); host.run; host.baton.take()) {
    std::exchange(host.run, nullptr)();
    host.state = Host::State::finished;
    scheduler_.give();
  }
}

void Hosts::play(Host& host, const std::function<void(int)>& body) {
  try {
    if (!stopping_) body(host.actor);
  } catch (const Stopped&) {
  } catch (...) {
    host.failure = std::current_exception();
  }
}

bool Hosts::all_finished() const {
  return std::all_of(hosts_.begin(), hosts_.end(), [](const auto& host) { return host->state == Host::State::finished; });
}

void Hosts::go_on(Host& host, const std::function<std::string()>& picture) {
  host.state = Host::State::running;
  host.baton.give();
  // What counts is the host's own time: its processor's while it computes, the wall's while it is blocked. Where others keep it from the
  // processor, it is not to blame.
  const auto allowed = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(stuck_seconds_));
  const std::chrono::nanoseconds slice = std::clamp<std::chrono::nanoseconds>(allowed / 8, 1ms, 100ms);
  std::chrono::nanoseconds used(0), before(-1);
  while (!scheduler_.take_within(slice)) {
    std::chrono::nanoseconds now = processor_time(host);
    if (is_blocked(host)) {
      used += slice;
    } else if (before.count() >= 0) {
      used += now - before;
    }
    before = now;
    if (used >= allowed) give_up(host, stuck_seconds_, picture());
  }
}

void Hosts::park(std::function<bool()> ready, std::function<std::string()> what) {
  if (stopping_) throw Stopped{};
  Host& host = here();
  host.ready = std::move(ready);
  host.what = std::move(what);
  host.state = Host::State::parked;
  scheduler_.give();
  host.baton.take();
  if (stopping_) throw Stopped{};
}

void Hosts::stop(const std::function<std::string()>& picture) {
  stopping_ = true;
  for (auto& host : hosts_)
    while (host->state != Host::State::finished) go_on(*host, picture);
}

void Hosts::join() {
  Host& driver = *hosts_.back();
  for (int rank = 0; rank < ranks(); ++rank) learn(driver, host(rank).clock, host(rank).now);
  stopping_ = false;
}

OneCore::OneCore() : before_(std::make_unique<Cores>()) {
  const int core = sched_getcpu();
  if (core < 0 || !before_->known()) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(core), &one);
  (void)sched_setaffinity(0, sizeof(one), &one);
}

OneCore::~OneCore() { before_->take(); }

}  // namespace reloadlab::sim::modelled
