#include "sim/world/modelled/group.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/StreamGuard.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "sim/world/modelled/device.h"
#include "sim/world/modelled/machine.h"
#include "sim/world/modelled/rendezvous.h"
#include "sim/world/modelled/store.h"

namespace reloadlab::sim::modelled {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;
using Lists = std::vector<Tensors>;

class ModelledWork final : public c10d::Work {
 public:
  ModelledWork(PointPtr done, Tensors kept, int device, bool blocks)
      : done_(std::move(done)), kept_(std::move(kept)), device_(device), blocks_(blocks) {}
  bool isCompleted() override { return Machine::required().host_query(done_); }
  bool isSuccess() const override { return done_->done && !exception(); }
  std::exception_ptr exception() const override {
    const std::string& why = timed_out_.empty() ? done_->failed : timed_out_;
    return why.empty() ? nullptr : std::make_exception_ptr(c10::DistBackendError({__func__, __FILE__, __LINE__}, why));
  }
  std::vector<Tensor> result() override { return kept_; }
  void synchronize() override {
    Machine& machine = Machine::required();
    rethrow();
    if (blocks_) machine.host_wait(done_);
    rethrow();
    machine.wait(stream_here(device_), done_);
    kept_.clear();
  }
  bool wait(std::chrono::milliseconds timeout) override {
    if (timeout != kNoTimeout) {
      rethrow();
      if (!Machine::required().host_wait_for(done_, timeout))
        timed_out_ = fmt::format("{} did not complete within {} ms", *done_->name, timeout.count());
    }
    synchronize();
    return true;
  }
  // Complete for the host at once, as NCCL's is; who uses its value comes after the operation.
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override {
    TORCH_CHECK(!done_->capture, "no future of an operation that is being captured");
    Machine& machine = Machine::required();
    Stream& behind = machine.new_stream(device_);
    machine.wait(behind, done_);
    const c10::StreamGuard guard(c10::Stream(c10::Stream::UNSAFE, modelled_device(device_), behind.id));
    auto future = c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()),
                                                           std::vector<c10::Device>{modelled_device(device_)});
    future->markCompleted(c10::IValue(kept_));
    return future;
  }

 private:
  void rethrow() const {
    if (std::exception_ptr failure = exception()) std::rethrow_exception(failure);
  }
  PointPtr done_;
  std::string timed_out_;  // not empty: a wait that did
  Tensors kept_;
  int device_;
  bool blocks_;
};

class ModelledBackend final : public c10d::Backend {
 public:
  ModelledBackend(GroupOptions options, int rank, int device)
      : Backend(rank, static_cast<int>(options.ranks.size())), options_(std::move(options)), device_(device) {}
  const std::string getBackendName() const override { return "sim"; }

  c10::intrusive_ptr<c10d::Work> broadcast(Tensors& tensors, const c10d::BroadcastOptions& options) override {
    const Tensor& tensor = only(tensors);
    TORCH_CHECK(options.rootRank >= 0 && options.rootRank < getSize(), "broadcast: rootRank ", options.rootRank,
                " is not a rank of the group of ", getSize());
    bool root = options.rootRank == getRank();
    Want want = wanted("broadcast", tensor, fmt::format("root {}, ", options.rootRank));
    want.sends = root;
    (root ? want.inputs : want.outputs) = {alias_on_cpu(tensor)};
    want.accesses = {access_to(tensor, !root)};
    want.move = [](const Lists& inputs, Lists& outputs) {
      auto source = std::find_if(inputs.begin(), inputs.end(), [](const Tensors& list) { return !list.empty(); });
      for (const Tensors& list : outputs)
        if (!list.empty()) list[0].copy_((*source)[0]);
    };
    return issue(want, options.asyncOp, {tensor});
  }

  c10::intrusive_ptr<c10d::Work> allreduce(Tensors& tensors, const c10d::AllreduceOptions& options) override {
    const Tensor& tensor = only(tensors);
    TORCH_CHECK(options.reduceOp == c10d::ReduceOp::SUM, "all-reduce: only sums");
    Want want = wanted("all-reduce", tensor, "");
    want.inputs = want.outputs = {alias_on_cpu(tensor)};
    want.accesses = {access_to(tensor, true)};
    want.move = [](const Lists& inputs, Lists& outputs) {
      Tensor total = inputs[0][0].clone();  // in rank order, as the other worlds add
      for (size_t rank = 1; rank < inputs.size(); ++rank) total.add_(inputs[rank][0]);
      for (const Tensors& list : outputs) list[0].copy_(total);
    };
    return issue(want, options.asyncOp, {tensor});
  }

  c10::intrusive_ptr<c10d::Work> allgather(Lists& outputs, Tensors& inputs, const c10d::AllgatherOptions& options) override {
    TORCH_CHECK(outputs.size() == 1 && outputs[0].size() == static_cast<size_t>(getSize()), "all-gather: one output for each rank");
    return gather(only(inputs), outputs[0], outputs[0], options.asyncOp);
  }
  c10::intrusive_ptr<c10d::Work> _allgather_base(Tensor& output, Tensor& input, const c10d::AllgatherOptions& options) override {
    TORCH_CHECK(output.is_contiguous() && output.numel() == input.numel() * getSize(),
                "all-gather: the output holds one input for each rank");
    return gather(input, output.view({getSize(), input.numel()}).unbind(0), {output}, options.asyncOp);
  }

  c10::intrusive_ptr<c10d::Work> barrier(const c10d::BarrierOptions& options) override {
    Want want = wanted("barrier", Tensor(), "");
    want.move = [](const Lists&, Lists&) {};
    auto work = issue(want, options.asyncOp, {});
    // A barrier blocks hosts, on GPUs too.
    if (!options.asyncOp) Machine::required().synchronize(stream_here(device_));
    return work;
  }

  c10::intrusive_ptr<c10d::Work> send(Tensors& tensors, int to, int tag) override { return pairwise(only(tensors), getRank(), to, tag); }
  c10::intrusive_ptr<c10d::Work> recv(Tensors& tensors, int from, int tag) override {
    return pairwise(only(tensors), from, getRank(), tag);
  }

  void abort() override { Machine::required().abort_group(options_.name, fmt::format("aborted by rank {}", getRank())); }
  void shutdown() override { Machine::required().abort_group(options_.name, fmt::format("shut down by rank {}", getRank())); }

  void startCoalescing() override { TORCH_CHECK(false, "the modelled group does not coalesce"); }

 private:
  static const Tensor& only(const Tensors& tensors) {
    TORCH_CHECK(tensors.size() == 1, "one tensor for each rank");
    TORCH_CHECK(is_modelled(tensors[0]), "a tensor on ", tensors[0].device(), " in a group of modelled devices");
    return tensors[0];
  }

  Want wanted(const std::string& operation, const Tensor& tensor, const std::string& detail) const {
    Want want{.operation = operation, .group = options_.name, .channel = options_.name};
    want.seats = options_.ranks.size();
    want.seat = static_cast<size_t>(getRank());
    int64_t bytes = tensor.defined() ? static_cast<int64_t>(tensor.nbytes()) : 0;
    want.detail = detail + (tensor.defined() ? fmt::format("{} elements of {}", tensor.numel(), c10::toString(tensor.scalar_type())) : "");
    want.cost = collective_cost(Machine::required().config().rates, bytes);
    return want;
  }

  c10::intrusive_ptr<c10d::Work> gather(const Tensor& input, const Tensors& parts, Tensors kept, bool async) {
    Want want = wanted("all-gather", input, "");
    want.inputs = {alias_on_cpu(input)};
    want.accesses = {access_to(input, false)};
    for (const Tensor& part : parts) {
      want.outputs.push_back(alias_on_cpu(part));
      want.accesses.push_back(access_to(part, true));
    }
    want.move = [](const Lists& inputs, Lists& outputs) {
      for (const Tensors& list : outputs)
        for (size_t rank = 0; rank < inputs.size(); ++rank) list[rank].copy_(inputs[rank][0].reshape_as(list[rank]));
    };
    kept.push_back(input);
    return issue(want, async, std::move(kept));
  }

  c10::intrusive_ptr<c10d::Work> pairwise(const Tensor& tensor, int from, int to, int tag) {
    TORCH_CHECK(from != to, "a rank sends to itself");
    bool sends = from == getRank();
    Want want = wanted("send", tensor, "");
    want.channel = fmt::format("{} from {} to {} tag {}", options_.name, from, to, tag);
    want.seats = 2;
    want.seat = sends ? 0 : 1;
    want.sends = sends;
    (sends ? want.inputs : want.outputs) = {alias_on_cpu(tensor)};
    want.accesses = {access_to(tensor, !sends)};
    want.move = [](const Lists& inputs, Lists& outputs) { outputs[1][0].copy_(inputs[0][0]); };
    return issue(want, true, {tensor});
  }

  // The stream that carries the next operation.
  Stream& carrier(bool async) {
    Machine& machine = Machine::required();
    if (options_.mode == GroupMode::nccl && !async) return stream_here(device_);
    size_t count = options_.mode == GroupMode::gloo ? static_cast<size_t>(options_.workers) : 1;
    while (own_.size() < count) own_.push_back(&machine.new_stream(device_));
    return *own_[next_++ % count];
  }

  c10::intrusive_ptr<c10d::Work> issue(const Want& want, bool async, Tensors kept) {
    Machine& machine = Machine::required();
    Stream& current = stream_here(device_);
    Stream& stream = carrier(async);
    if (stream.actor != current.actor) machine.wait(stream, machine.record(current, before(want)));
    machine.shares(options_.name);
    Part part = stream.capture ? Part{} : machine.rendezvous().join(want);
    if (stream.capture) {
      part.done = std::make_shared<Point>();
      part.done->name = named(fmt::format("a captured {} of {}", want.operation, want.channel));
      part.issue_again = [want] { return Machine::required().rendezvous().join(want); };
    }
    PointPtr done = part.done;
    machine.issue(stream, std::move(part));
    if (options_.mode == GroupMode::nccl && !async) return {};
    return c10::make_intrusive<ModelledWork>(done, std::move(kept), device_, options_.mode == GroupMode::gloo);
  }

  // Nearly always it is what it was last time.
  const NamePtr& before(const Want& want) {
    if (!before_ || before_of_.first != want.operation || before_of_.second != want.channel) {
      before_of_ = {want.operation, want.channel};
      before_ = named(fmt::format("what comes before {} of {}", want.operation, want.channel));
    }
    return before_;
  }

  GroupOptions options_;
  int device_;
  std::pair<std::string, std::string> before_of_;  // operation and channel
  NamePtr before_;
  std::vector<Stream*> own_;
  size_t next_ = 0;
};

}  // namespace

c10::intrusive_ptr<c10d::ProcessGroup> make_group(const GroupOptions& options, int global_rank) {
  auto found = std::find(options.ranks.begin(), options.ranks.end(), global_rank);
  TORCH_CHECK(found != options.ranks.end(), "rank ", global_rank, " is not in the group ", options.name);
  int rank = static_cast<int>(found - options.ranks.begin());
  auto group = c10::make_intrusive<c10d::ProcessGroup>(make_store(options.name), rank, static_cast<int>(options.ranks.size()));
  auto backend = c10::make_intrusive<ModelledBackend>(options, rank, global_rank);
  group->setBackend(c10::DeviceType::PrivateUse1, c10d::ProcessGroup::BackendType::CUSTOM, backend);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::CUSTOM);
  return group;
}

}  // namespace reloadlab::sim::modelled
