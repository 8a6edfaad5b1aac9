// `reloadlab` with candidates that leave the path. Series: stuck@forever, @mutex, @catches and @polls do so in their first reach.
// Reloaders: naughty@crash, @abort, @throw, @loop and @exit do so in their first prepare;
// naughty@inplace behaves: loads go straight into the live tensors. Each copy of this program is its own worker.
#include <ATen/ops/ones.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "sim/candidate/candidate.h"
#include "sim/cli/program.h"

namespace reloadlab::tests {
namespace {

class Naughty : public sim::Reloader {
 public:
  explicit Naughty(std::string way) : way_(std::move(way)) {}
  Status record(model::Model&) override { return {}; }
  Status finish(model::Model&, const sim::FinishConfig&) override { return {}; }
  Status prepare(model::Model&) override {
    if (way_ == "crash") std::raise(SIGSEGV);
    if (way_ == "abort") std::abort();
    if (way_ == "exit") std::_Exit(7);
    if (way_ == "throw") throw std::runtime_error("boom");
    if (way_ == "loop")
      for (;;) ::pause();
    return {};
  }

 private:
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

  const std::string way_;
  model::SeriesContext context_;
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
