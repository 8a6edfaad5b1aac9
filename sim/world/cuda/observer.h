#pragma once
// What happens on this process's GPU, put together from the calls that it makes (calls.h) and the operators that the rank's thread runs
// (Tap::device): whose bytes a kernel or copy touches is what its operator's schema says. What no operator accounts for is told as unseen.
// Operators that launch nothing that could be heard (those of cuBLAS have a runtime of their own) count as kernels on the current stream,
// but for those that only look at metadata.
//
// May also delay (delays.h): the current stream before an operator that touches bytes, NCCL's before a collective.
#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reference/model/tap/tap.h"
#include "sim/world/cuda/calls.h"
#include "sim/world/cuda/delays.h"
#include "sim/world/order/operator_facts.h"
#include "sim/world/order/stream_order.h"

namespace reloadlab::sim::cuda {

class Observer final : public CallListener, public model::OpListener {
 public:
  // `name_of` says what a communicator is called.
  Observer(int device, std::function<std::string(Handle communicator)> name_of);

  // Calls are heard, and operators seen of the calling thread, while one of these lives.
  class Watching {
   public:
    explicit Watching(Observer& observer);
    ~Watching();
    Watching(const Watching&) = delete;
    Watching& operator=(const Watching&) = delete;

   private:
    Observer& observer_;
    std::optional<model::TapGuard> tap_;
  };
  // What the calling thread calls while one of these lives is the harness's own, and no access.
  class Own {
   public:
    Own();
    ~Own();
    Own(const Own&) = delete;
    Own& operator=(const Own&) = delete;
  };

  void delay(std::optional<Delays> delays) { delays_ = std::move(delays); }
  // Memory that the stream fills, by the harness's doing.
  void filled(Handle stream, const void* address, int64_t bytes);
  StreamOrder& order() { return order_; }
  const StreamOrder& order() const { return order_; }
  // Why a race may have gone unseen; empty: all was seen.
  std::string unseen() const;

  void recorded(Handle event, Handle stream) override;
  void waits(Handle stream, Handle event) override { order_.wait(stream, event); }
  void came_to(Handle event) override { order_.synchronize_with(event); }
  void came_to_end_of(Handle stream) override { order_.synchronize(stream); }
  void came_to_end_of_all() override { order_.synchronize_all(); }
  void destroyed(Handle event) override { order_.forget(event); }
  void issued(const char* what, Handle stream) override;
  void begins_capture(Handle stream) override { order_.begin_capture(stream); }
  void ended_capture(Handle stream, Handle graph) override { order_.end_capture(stream, graph); }
  void instantiated(Handle executable, Handle graph) override { order_.instantiate(executable, graph); }
  void launched(Handle executable, Handle stream) override { order_.launch(executable, stream); }
  void sends(const char* operation, Handle communicator, const std::vector<Piece>& pieces, Handle stream) override;

  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override;
  void after(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override;

 private:
  // The operator that the rank's thread is in.
  struct Running {
    std::string name;
    const OperatorFacts* facts = nullptr;
    std::vector<Access> accesses;
    std::vector<Handle> streams;  // that it gave something to
    bool sent = false;
  };
  void prove_that_calls_are_heard();
  void sleep(int64_t microseconds) const;
  Access piece(const void* address, int64_t bytes, bool writes) const;
  void collect(const c10::IValue& value, bool writes, std::vector<Access>& accesses) const;
  std::vector<Access> fresh_results(const torch::jit::Stack& results) const;

  const int device_;
  const std::function<std::string(Handle)> name_of_;
  StreamOrder order_;
  std::optional<Delays> delays_;
  std::map<std::string, int64_t> sent_;  // collectives, by communicator
  std::atomic<int64_t> heard_ = 0;       // launches and records of the harness's own, for the proof
  Running running_;
  std::string deaf_;  // why calls are not heard
};

}  // namespace reloadlab::sim::cuda
