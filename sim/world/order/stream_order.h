#pragma once
// Order on a device of which nothing is known but the calls that hosts make, each told once it went well, in the order in which they were
// made. Streams and hosts have clocks:
//
//   record(event, stream)   the event keeps what the stream's end knows
//   wait(stream, event)     the stream knows it from here on: what the event kept when the wait was issued, whatever is recorded later
//   synchronize(…)          a host knows it, and so does all that it issues from then on
//   touch(stream, …)        the stream's end reads and writes bytes, knowing what it knows: here races are found
//
// While a stream captures, and every stream that waits for an event of the capture, what is issued is kept, and done by each launch: the
// launching stream stands for the first one, each other one is a branch. A launch comes after what its stream held, and its stream goes on
// after all of it, whatever joined whom in the capture.
//
// Two ranks' devices do not hear of each other: where only another rank orders two collectives of one, on two communicators, nothing does.
// A thread that is seen for the first time knows what all others do. Blocks of regions are the caller's to number.
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sim/world/order/races.h"

namespace reloadlab::sim {

class StreamOrder {
 public:
  // Of a stream, an event, a graph, an executable graph, as the runtime calls them. Looked up, and no part of what is told.
  using Handle = const void*;

  explicit StreamOrder(std::string device) : device_(std::move(device)) {}

  // What hosts are about from here on.
  void label(About about);

  void record(Handle event, Handle stream);
  void wait(Handle stream, Handle event);
  void synchronize(Handle stream);
  void synchronize_with(Handle event);  // the host waited for it, or was told that it is done
  void synchronize_all();
  void forget(Handle event);  // its handle may become another event's

  void touch(Handle stream, const std::string& operation, const std::vector<Access>& accesses);
  // The stream does something of which nobody knows what it touches.
  void touch_unseen(Handle stream, const std::string& operation);

  void begin_capture(Handle stream);
  void end_capture(Handle stream, Handle graph);  // null: it failed, and what was captured is gone
  void instantiate(Handle executable, Handle graph);
  void launch(Handle executable, Handle stream);

  const RaceFinder& races() const { return races_; }
  std::string name_of(ActorId actor) const { return names_.at(static_cast<size_t>(actor)); }
  // The first of what was done unseen, and how much more there was; empty where all was seen.
  std::string unseen() const;

 private:
  struct Action {
    enum class Kind { touch, record, wait } kind;
    size_t stream;     // among the capture's
    size_t point = 0;  // among the capture's records
    std::string operation;
    std::vector<Access> accesses;
    LabelPtr label;
  };
  struct Capture {
    std::vector<Handle> streams;  // the first one is where it began
    std::vector<Action> actions;
    size_t points = 0;
    size_t position(Handle stream) const;
  };
  struct Queue {
    ActorId actor = -1;
    Clock clock;
    std::shared_ptr<Capture> capture;  // null: it does what it is given
  };
  struct Mark {
    Clock clock;
    std::shared_ptr<Capture> capture;  // null: of no capture
    size_t point = 0;
  };
  struct Executable {
    std::shared_ptr<const Capture> capture;
    std::vector<Queue> branches;
  };

  Queue& queue(Handle stream);
  Queue new_queue(std::string name);
  Clock& host();
  void go_on(Queue& stream);
  void access(Queue& stream, const std::string& operation, const std::vector<Access>& accesses, const LabelPtr& label);
  void keep(Queue& stream, Handle handle, Action action);
  void replay(Executable& what, Queue& launching);
  void note_unseen(const Queue& stream, const std::string& operation);

  mutable std::mutex mutex_;
  const std::string device_;
  RaceFinder races_;
  std::vector<std::string> names_;  // by actor
  int64_t steps_ = 0;
  LabelPtr label_;
  std::map<int64_t, Clock> hosts_;  // by thread
  std::map<Handle, Queue> streams_;
  std::map<Handle, Mark> events_;
  std::map<Handle, std::shared_ptr<const Capture>> graphs_;
  std::map<Handle, Executable> executables_;
  std::string unseen_;
  int64_t unseen_count_ = 0;
};

}  // namespace reloadlab::sim
