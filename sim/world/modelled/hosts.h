#pragma once
// Host threads that run only while they hold the baton: one thread for each rank, from its first run on, as the process of an engine's rank
// has one, and the driver, which is whoever calls from outside. A host gives the baton back at every visible operation and says when it may
// go on.
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sim/world/modelled/action.h"
#include "sim/world/modelled/baton.h"
#include "sim/world/modelled/turn.h"

namespace reloadlab::sim::modelled {

// Unwinds a host of a run that is being stopped. Not a std::exception: programs that catch those must not keep it.
struct Stopped {};

// What a host comes to at a visible operation.
struct Asked {
  PointPtr waits;                    // for this to be done
  std::vector<PointPtr> looks;       // at these, and does not wait
  std::vector<Footprint::Key> keys;  // of what hosts share
  Picoseconds deadline = -1;         // goes on then if nothing else can; -1: never
};

struct Host {
  enum class State { parked, running, finished };
  ActorId actor = -1;
  State state = State::finished;
  std::function<bool()> ready;        // parked: may it go on?
  std::function<std::string()> what;  // parked: what it waits for
  Asked asked;                        // parked: what it goes on with
  std::vector<int64_t> told_no;       // the points that it looked at last, where none was done
  bool timed_out = false;             // its deadline came first
  int64_t turn = -1;                  // the last turn in which it acted
  std::exception_ptr failure;
  Baton baton;
  std::function<void()> run;  // what comes next on its thread; empty: nothing, and the thread ends
  std::thread thread;
  std::atomic<int64_t> thread_id = 0;  // as the kernel numbers it; 0: the thread has not begun
  Clock clock;                         // what it has learnt by waiting
  std::shared_ptr<const Clock> known;  // the same, shared with the actions it issues; null where it has to be made anew
  Picoseconds now = 0;
  LabelPtr label;  // what it is about
  int device = 0;
  std::vector<int64_t> current_stream;  // by device
};

class Hosts {
 public:
  Hosts(int ranks, double stuck_seconds);
  ~Hosts();
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;
  int ranks() const { return static_cast<int>(hosts_.size()) - 1; }
  // The calling thread's host.
  Host& here();
  Host& host(int index) { return *hosts_[static_cast<size_t>(index)]; }
  const Host& host(int index) const { return *hosts_[static_cast<size_t>(index)]; }
  bool on_rank_thread() const;
  bool stopping() const { return stopping_; }
  void learn(Host& host, const Clock& clock, Picoseconds time);
  const std::shared_ptr<const Clock>& knowledge(Host& host);

  void start(const std::function<void(int rank)>& body);
  bool all_finished() const;
  // Gives the baton to the host until it parks or ends. `picture` is asked for where it does neither.
  void go_on(Host& host, const std::function<std::string()>& picture);
  // On a rank thread: gives the baton back. Throws Stopped where the run is being stopped.
  void park(std::function<bool()> ready, std::function<std::string()> what);
  // Unwinds every host that has not ended.
  void stop(const std::function<std::string()>& picture);
  // REQUIRES that all have ended: the driver knows what they know.
  void join();

 private:
  void thread_body(Host& host);
  void play(Host& host, const std::function<void(int)>& body);
  double stuck_seconds_;
  std::vector<std::unique_ptr<Host>> hosts_;  // the ranks, then the driver
  Baton scheduler_;
  bool stopping_ = false;
};

class Cores;

// Keeps the calling thread, and hosts of a run that begins meanwhile, on one core for its lifetime: the baton then changes hands several
// times faster.
class OneCore {
 public:
  OneCore();
  ~OneCore();
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;

 private:
  std::unique_ptr<Cores> before_;
};

}  // namespace reloadlab::sim::modelled
