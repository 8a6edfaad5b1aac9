// `reloadlab` with candidates that leave the path. Series: stuck@forever, @mutex, @catches and @polls do so in their first reach, and
// rank 1 of stuck@killed, @absent, @skips, @hoards and @wild in the second one, when all have sent something to each other.
// Reloaders: naughty@crash, @abort, @throw, @loop, @exit, @hoards and @wild do so in their first prepare;
// @crash_on_two where the model has two layers or more. naughty@inplace behaves: loads go straight into the live tensors. Each copy of this
// program is its own worker.
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "sim/candidate/candidate.h"
#include "sim/cli/program.h"

namespace reloadlab::tests {
namespace {

// Until there is no more, which throws; what was got is kept.
void hoard(c10::Device device) {
  static std::vector<at::Tensor>& kept = *new std::vector<at::Tensor>;
  for (;;) kept.push_back(at::empty({int64_t{1} << 30}, at::TensorOptions().device(device).dtype(at::kByte)));
}

// Where nothing is, as low as no allocator gives; a GPU finds out when the kernel runs.
void write_anywhere(c10::Device device) {
  const auto options = at::TensorOptions().device(device).dtype(at::kInt);
  at::for_blob(reinterpret_cast<void*>(uintptr_t{4096}), {1024}).options(options).target_device(device).make_tensor().add_(1);
}

class Naughty : public sim::Reloader {
 public:
  explicit Naughty(std::string way) : way_(std::move(way)) {}
  Status record(model::Model&) override { return {}; }
  Status finish(model::Model&, const sim::FinishConfig&) override { return {}; }
  Status prepare(model::Model& model) override {
    if (way_ == "crash") std::raise(SIGSEGV);
    if (way_ == "crash_on_two" && model.layers().size() > 1) std::raise(SIGSEGV);
    if (way_ == "abort") std::abort();
    if (way_ == "exit") std::_Exit(7);
    if (way_ == "throw") throw std::runtime_error("boom");
    if (way_ == "loop")
      for (;;) ::pause();
    if (way_ == "hoards") hoard(device_of(model));
    if (way_ == "wild") write_anywhere(device_of(model));
    return {};
  }

 private:
  static c10::Device device_of(const model::Model& model) { return model.layers().front()->tensor("weight")->tensor.device(); }

  const std::string way_;
};

Result<sim::CandidateInfo> make(const std::string& spelling) {
  const std::string way = spelling.substr(spelling.find('@') + 1);
  sim::CandidateInfo info{.name = "naughty@" + way, .system = "layerwise"};
  info.make_reloader = [way](const sim::CandidateContext&) -> Result<std::unique_ptr<sim::Reloader>> {
    return std::unique_ptr<sim::Reloader>(std::make_unique<Naughty>(way));
  };
  return info;
}

class Stuck : public sim::WeightSeries {
 public:
  Stuck(std::string way, const model::SeriesContext& context) : way_(std::move(way)), context_(context) {}
  Status register_layer(const model::LayerPtr&, int64_t) override { return {}; }
  Status finish_loading() override { return {}; }
  Status wait(int64_t) override { return {}; }
  Status reach(int64_t) override {
    if (way_ == "forever")
      for (volatile bool on = true; on;) continue;
    if (way_ == "mutex") lock_twice();
    if (way_ == "catches") catch_all();
    if (way_ == "polls") poll();
    if (way_ == "killed" || way_ == "absent" || way_ == "skips" || way_ == "hoards" || way_ == "wild") talk();
    return {};
  }

 private:
  static void lock_twice() {
    std::mutex mutex;
    mutex.lock();
    std::thread([&] { mutex.lock(); }).join();
  }
  // Whoever stops a rank unwinds it; this one does not let itself be unwound from a barrier to which nobody else comes.
  void catch_all() {
    if (context_.group->getRank() != 0) return;
    c10d::BarrierOptions options;
    options.device = context_.device;
    options.asyncOp = true;
    context_.group->barrier(options)->wait();
    c10::Event passed(context_.device.type());
    passed.record(c10::impl::VirtualGuardImpl(context_.device.type()).getStream(context_.device));
    for (;;) {
      try {
        passed.synchronize();
      } catch (...) {
      }
    }
  }
  // For a work that cannot complete: nobody else takes part.
  void poll() {
    if (context_.group->getRank() != 0) return;
    std::vector<at::Tensor> tensors{at::ones({4}, at::TensorOptions().device(context_.device))};
    const auto work = context_.group->broadcast(tensors, {});
    while (!work->isCompleted()) continue;
  }

  // Everybody hears from rank 1, and waits for it in the stream; then that one goes its own way.
  void talk() {
    if (context_.group->getRank() == 1 && told_ > 0) return stray();
    std::vector<at::Tensor> tensors{at::ones({4}, at::TensorOptions().device(context_.device))};
    c10d::BroadcastOptions from;
    from.rootRank = 1;
    context_.group->broadcast(tensors, from)->wait();
    const c10::impl::VirtualGuardImpl device(context_.device.type());
    if (told_++ > 0) device.synchronizeStream(device.getStream(context_.device));
  }

  void stray() const {
    if (way_ == "killed") std::raise(SIGKILL);
    if (way_ == "absent")
      for (;;) ::pause();
    if (way_ == "hoards") hoard(context_.device);
    if (way_ == "wild") write_anywhere(context_.device);
  }

  const std::string way_;
  model::SeriesContext context_;
  int told_ = 0;
};

Result<sim::CandidateInfo> make_stuck(const std::string& spelling) {
  const std::string way = spelling.substr(spelling.find('@') + 1);
  sim::CandidateInfo info{.name = "stuck@" + way, .system = "shared_series"};
  info.make_series = [way](const sim::CandidateContext&,
                           const model::SeriesContext& context) -> Result<std::unique_ptr<sim::WeightSeries>> {
    return std::unique_ptr<sim::WeightSeries>(std::make_unique<Stuck>(way, context));
  };
  return info;
}

}  // namespace
}  // namespace reloadlab::tests

int main(int argc, char** argv) {
  reloadlab::sim::register_candidate("naughty", reloadlab::tests::make);
  reloadlab::sim::register_candidate("stuck", reloadlab::tests::make_stuck);
  return reloadlab::sim::run_program(argc, argv, reloadlab::sim::built_in_engine());
}
