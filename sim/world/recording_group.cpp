#include "sim/world/recording_group.h"

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

namespace reloadlab::sim {
namespace {

using Tensors = std::vector<at::Tensor>;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;

class RecordingBackend final : public c10d::Backend {
 public:
  RecordingBackend(c10::intrusive_ptr<c10d::Backend> inner, CollectiveListener listener)
      : Backend(inner->getRank(), inner->getSize()), inner_(std::move(inner)), listener_(std::move(listener)) {}
  const std::string getBackendName() const override { return inner_->getBackendName(); }

  WorkPtr broadcast(Tensors& tensors, const c10d::BroadcastOptions& options) override {
    tell("broadcast", options.rootRank, tensors);
    return inner_->broadcast(tensors, options);
  }
  WorkPtr allreduce(Tensors& tensors, const c10d::AllreduceOptions& options) override {
    tell("all-reduce", -1, tensors);
    return inner_->allreduce(tensors, options);
  }
  WorkPtr allgather(std::vector<Tensors>& outputs, Tensors& inputs, const c10d::AllgatherOptions& options) override {
    tell("all-gather", -1, inputs);
    return inner_->allgather(outputs, inputs, options);
  }
  WorkPtr _allgather_base(at::Tensor& output, at::Tensor& input, const c10d::AllgatherOptions& options) override {
    listener_({"all-gather", -1, &input});
    return inner_->_allgather_base(output, input, options);
  }
  WorkPtr barrier(const c10d::BarrierOptions& options) override {
    listener_({"barrier", -1, nullptr});
    return inner_->barrier(options);
  }
  WorkPtr send(Tensors& tensors, int to, int tag) override {
    tell("send", to, tensors);
    return inner_->send(tensors, to, tag);
  }
  WorkPtr recv(Tensors& tensors, int from, int tag) override {
    tell("recv", from, tensors);
    return inner_->recv(tensors, from, tag);
  }
  void startCoalescing() override { inner_->startCoalescing(); }
  WorkPtr endCoalescing() override { return inner_->endCoalescing(); }
  void abort() override { inner_->abort(); }
  void shutdown() override { inner_->shutdown(); }

 private:
  void tell(const char* operation, int64_t root, const Tensors& tensors) {
    listener_({operation, root, tensors.empty() ? nullptr : &tensors.front()});
  }
  c10::intrusive_ptr<c10d::Backend> inner_;
  CollectiveListener listener_;
};

}  // namespace

c10::intrusive_ptr<c10d::ProcessGroup> recording_group(const c10::intrusive_ptr<c10d::ProcessGroup>& group, c10::DeviceType device,
                                                       CollectiveListener listener) {
  auto wrapped = c10::make_intrusive<c10d::ProcessGroup>(c10::make_intrusive<c10d::HashStore>(), group->getRank(), group->getSize());
  auto backend = c10::make_intrusive<RecordingBackend>(group->getBackend(device), std::move(listener));
  wrapped->setBackend(device, c10d::ProcessGroup::BackendType::CUSTOM, backend);
  wrapped->setDefaultBackend(c10d::ProcessGroup::BackendType::CUSTOM);
  return wrapped;
}

}  // namespace reloadlab::sim
