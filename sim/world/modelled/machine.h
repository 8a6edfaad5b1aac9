#pragma once
// A modelled machine: one device `sim:r` for each rank, whose streams hold deferred actions, and one host thread for each rank. Exactly
// one of all these acts at a time, and a Chooser decides which. Hosts run freely until a visible operation (a wait, a host
// synchronization, a query); streams act one head at a time. So every interleaving that hardware could show is some schedule, and
// the same schedule gives the same run, byte for byte.
//
// There is at most one Machine at a time; `sim:r` tensors need one, and may outlive it. What is called outside of run() acts as a
// host of its own (the driver) and waits by executing streams, in the order of the Chooser.
#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/world/modelled/action.h"
#include "sim/world/modelled/actor_set.h"
#include "sim/world/modelled/choice.h"
#include "sim/world/modelled/turn.h"

namespace reloadlab::sim::modelled {

class Memory;
class Hosts;
struct Asked;
struct Host;
class Rendezvous;

struct MachineConfig {
  int ranks = 1;
  Rates rates = *rates_of("h200");
  std::byte poison{0xFF};
  bool bytes = true;                // false: memory is addresses and nothing else, and kernels and collectives move no data
  bool timeline = true;             // steps() are kept
  int concurrent_collectives = 0;   // how many a device runs at once; 0: any number
  int64_t step_limit = 10'000'000;  // more steps in one run count as a hang
  int64_t poll_limit = 100'000;     // so many questions in a row that nothing can change the answer of are one, too
  double stuck_seconds = 60;        // a host that reaches no visible operation for so long ends the process with exit code 6
  Picoseconds host_call = 0;        // what it takes a host to issue one action
  std::vector<Picoseconds> skew;    // by rank: how much later its host begins a run; none: no rank does
};

// One executed step.
struct Step {
  ActorId actor = -1;
  std::string name;
  Picoseconds start = 0, end = 0;
  LabelPtr label;      // what its host was about when it issued it; null: it had said nothing
  int64_t point = -1;  // that it marks or waits for, by its number; -1: none
};

struct RunReport {
  std::string stopped;                       // why the run was stopped; empty where every host and stream came to its end
  std::vector<std::string> waits;            // the waits-for picture at that moment, one line for each host and stream that waits
  int stopped_in = -1;                       // the earliest step that one of them is about, as set_label() said; -1: none
  std::vector<std::exception_ptr> failures;  // by rank; null where the body returned (or was stopped)
};

// A queue of actions on one device. Lives as long as its machine.
struct Stream {
  struct Queued {
    Action action;
    std::vector<Kernel> fills;            // run first, in the same step
    std::shared_ptr<const Clock> issued;  // what the issuing host knew
    Picoseconds issued_at = 0;
    LabelPtr label;
    int64_t issued_in = -1;  // the turn; -1: before the first one
    int64_t number = 0;      // of what was issued, on all streams
  };
  ActorId actor = -1;
  int device = -1;
  int64_t id = 0;
  std::deque<Queued> queue;
  std::vector<Kernel> fills;  // go with the next action
  Clock clock;
  int64_t issue = -1;  // the number of what it executed last
  Picoseconds free_at = 0;
  std::shared_ptr<const Clock> joined;
  std::shared_ptr<Capture> capture;
  LabelPtr label;      // of its last action
  NamePtr event;       // what an event on it is called
  bool stale = false;  // what it can do next has perhaps changed

  bool idle() const { return queue.empty(); }
  const Queued& front() const { return queue.front(); }
  std::string name() const;
};

class Machine {
 public:
  Machine(MachineConfig config, std::unique_ptr<Chooser> chooser);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  static Machine* current();   // null where there is none
  static Machine& required();  // throws c10::Error where there is none

  // Runs body(rank) on one thread a rank, then what is left in the streams.
  RunReport run(const std::function<void(int rank)>& body);

  const MachineConfig& config() const { return config_; }
  Memory& memory() { return *memory_; }
  Rendezvous& rendezvous() { return *rendezvous_; }

  // Streams. Number 0 is a device's default stream.
  Stream& stream(int device, int64_t id);
  Stream& new_stream(int device);
  Stream& pool_stream(int device);  // one of 32, in turn

  // The calling host's current device and streams.
  int host() const;  // its number; the driver's is behind the ranks'
  int device() const;
  void set_device(int device);
  int64_t current_stream(int device) const;
  void set_current_stream(int device, int64_t id);

  // What the calling host is about, said of all that it issues from here on.
  void set_label(About label) { set_label(std::make_shared<const About>(std::move(label))); }
  void set_label(LabelPtr label);
  LabelPtr label() const;

  // Puts the action at the end of the stream, or into the stream's capture.
  void issue(Stream& stream, Action action);
  PointPtr record(Stream& stream, NamePtr name);
  PointPtr record(Stream& stream, std::string name) { return record(stream, named(std::move(name))); }
  void wait(Stream& stream, const PointPtr& point);
  // Poison that no one ordered: run as part of the stream's next action.
  void fill(Stream& stream, Kernel kernel);

  // Visible operations of the calling host. Each throws where the run is being stopped.
  void host_wait(const PointPtr& point);
  bool host_query(const PointPtr& point);                // lets others go on first
  void host_look(const std::vector<PointPtr>& points);   // the same for several, whose states are read afterwards
  void host_access(const std::string& key, bool write);  // of something that hosts share; lets others go on first
  void host_access(std::vector<Footprint::Key> keys);
  bool is_watched() const { return watched_; }  // by the chooser: footprints are asked for
  void shares(const std::string& key) {         // whoever's turn it is reads it
    if (watched_) open_.footprint.keys.push_back({key, false});
  }
  // False where the point is not done within the limit of virtual time, or never.
  bool host_wait_for(const PointPtr& point, std::chrono::milliseconds limit);
  // The calling host itself marks the point.
  void host_marks(Point& point);
  // What the communicator has not completed fails on every rank that waits for it.
  void abort_group(const std::string& group, const std::string& why);
  void synchronize(Stream& stream);
  void synchronize_device(int device);
  // On the driver: executes what is queued for as long as anything can go on; false where something is left that cannot.
  bool drain();
  // A choice of the world that is no step. REQUIRES count > 1.
  size_t choose(ChoiceKind kind, size_t count);
  // While one lives, nothing is a choice: the first option is taken, and schedules hold none of it. For what comes before and after
  // that which is to be explored.
  class Fixed {
   public:
    explicit Fixed(Machine& machine) : machine_(machine), before_(std::exchange(machine.fixed_, true)) {}
    ~Fixed() { machine_.fixed_ = before_; }
    Fixed(const Fixed&) = delete;
    Fixed& operator=(const Fixed&) = delete;

   private:
    Machine& machine_;
    bool before_;
  };
  // The calling host has learnt that the point is marked.
  void host_joins(const Point& point);

  // What was seen.
  const Schedule& schedule() const { return schedule_; }
  const std::vector<uint32_t>& widths() const { return widths_; }  // of the schedule's choices
  const std::vector<Step>& steps() const { return steps_; }        // empty where no timeline is kept
  const RaceFinder& races() const { return races_; }
  const std::string& device_error() const { return device_error_; }  // of the first kernel that threw; empty where none did
  std::string actor_name(ActorId actor) const;
  // The calling host uses a device's memory or makes a stream there.
  void uses(int device);
  int device_of(ActorId actor) const;  // a host's is its rank's
  Picoseconds elapsed() const;         // virtual time at which the last step ended

 private:
  friend class Hosts;
  // One choice, and what it chose; false where nothing can go on. With `driver`, the driver is one of those who can.
  bool advance(bool driver = false);
  void collect_options();
  // Who can go on is kept up to date: who has perhaps changed is looked at again before each choice.
  void changed(Stream& stream);
  void changed(ActorId actor);
  void places_changed(const Stream& stream);
  void refresh();
  void look_again(ActorId actor);
  void look_at_all();
  void nobody_forgotten();
  bool only_asking() const;
  size_t pick_next();
  bool expire();  // the host whose deadline comes first goes on; false where there is none
  bool looks_again(const Host& host) const;
  bool asks_again(const Host& host) const;
  void host_wait(const std::function<bool()>& ready, const std::function<std::string()>& what, Asked asked);
  void drive(const std::function<bool()>& ready, const std::function<std::string()>& what);
  void open_turn(ActorId actor);
  void open_host_turn(Host& host);
  void close_turn(const Clock& clock);
  void end_of_run();
  std::string why_stopped() const;
  void admit(const Stream& stream);
  void start_part(const Stream& stream, const Part& part);
  bool enabled(const Stream& stream) const;
  Option option(const Stream& stream) const;
  void execute(Stream& stream);
  void execute_kernel(Stream& stream, const Kernel& kernel, Picoseconds start);
  void complete(Collective& collective);
  void give_up(Stream& stream, Collective& collective, Collective::Seat& seat);
  void marked(Point& point);
  void pop(Stream& stream);
  void step(Stream& stream, const std::string& name, Picoseconds start, Picoseconds end, int64_t point = -1);
  void touch(const Stream& stream, const std::string& name, const std::vector<Access>& accesses);
  Picoseconds begin(Stream& stream, const Stream::Queued& queued);
  Picoseconds cost_of(const Kernel& kernel, const Stream& stream, Picoseconds start) const;
  size_t pick(ChoiceKind kind, std::span<const Option> options);
  void show_waits(RunReport& report) const;
  std::string picture() const;  // the same in lines
  std::string waits_for(const Stream& stream) const;
  // Streams are numbered by their place on their device, then by device, so that numbers do not depend on the schedule.
  ActorId actor_of(int device, int64_t id) const { return static_cast<ActorId>((id + 1) * config_.ranks + 1 + device); }
  Stream& stream_of(ActorId actor) const {
    int place = actor - config_.ranks - 1;
    return *devices_[static_cast<size_t>(place % config_.ranks)][static_cast<size_t>(place / config_.ranks)];
  }

  MachineConfig config_;
  std::unique_ptr<Chooser> chooser_;
  std::shared_ptr<Memory> memory_;
  std::vector<std::vector<std::unique_ptr<Stream>>> devices_;
  std::vector<Stream*> streams_;                                       // by actor
  std::vector<int> pool_next_;                                         // by device
  std::map<std::pair<int, int>, Stream*> pool_;                        // by device and place in the pool
  std::vector<int> running_collectives_;                               // by device
  std::vector<std::pair<Picoseconds, Picoseconds>> collective_times_;  // by device: start and end of the last collective
  std::vector<Picoseconds> kernels_end_;                               // by device: where it rests
  std::unique_ptr<Hosts> hosts_;
  std::unique_ptr<Rendezvous> rendezvous_;
  Schedule schedule_;
  std::vector<uint32_t> widths_;
  std::vector<Step> steps_;
  std::vector<Option> options_;
  ActorSet ready_;              // who can go on, the driver only where it is asked for
  std::vector<ActorId> stale_;  // who has to be looked at again
  int64_t step_count_ = 0;
  int64_t issued_count_ = 0;
  RaceFinder races_;
  std::string device_error_;  // the first kernel that threw
  int64_t taken_ = 0;         // choices of all runs
  int64_t turn_ = -1;         // the last turn, or the one that is being taken
  bool watched_ = false;      // by the chooser
  Turn open_;                 // watched: the turn that is being taken
  int64_t next_point_ = 0;
  int64_t asking_ = 0;      // questions in a row that nothing can change the answer of
  bool fixed_ = false;      // nothing is a choice
  bool abandoned_ = false;  // by the chooser
  Picoseconds elapsed_ = 0;
};

}  // namespace reloadlab::sim::modelled
