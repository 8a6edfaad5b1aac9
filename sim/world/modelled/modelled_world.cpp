#include "sim/world/modelled/modelled_world.h"

#include <c10/core/DeviceGuard.h>
#include <fmt/ranges.h>

#include <numeric>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "reference/base/check.h"
#include "sim/world/modelled/capture.h"
#include "sim/world/modelled/device.h"
#include "sim/world/order/seen_races.h"

namespace reloadlab::sim::modelled {

namespace {

constexpr int64_t steps_of_a_rank = 100'000;  // more are a hang: a pass over 61 layers takes a thousand

MachineConfig config_of(const WorldRequest& request) {
  MachineConfig config{.ranks = static_cast<int>(request.local.size()), .poison = poison_byte(request.poison)};
  config.bytes = config.timeline = request.kind != WorldKind::meta;
  config.concurrent_collectives = request.collectives.at_once;
  config.step_limit = steps_of_a_rank * std::max(config.ranks, 2);
  if (request.rates) {
    config.rates = *request.rates;
  } else if (request.collective_picoseconds) {
    config.rates = *rates_of("free");
    config.rates.collective_start = *request.collective_picoseconds;
  }
  return config;
}

}  // namespace

ModelledWorld::ModelledWorld(const WorldRequest& request, std::unique_ptr<Chooser> chooser, Stores stores)
    : ranks_(request.ranks),
      mode_(request.collectives.order == Collectives::Order::gloo ? GroupMode::gloo : GroupMode::nccl),
      local_(request.local),
      stores_(stores),
      takes_times_(request.timed),
      machine_(config_of(request), std::move(chooser)) {
  for (int device = 0; device < static_cast<int>(local_.size()); ++device) pools_.emplace_back(machine_, device);
  install_counting_allocator();  // what hosts hold is nobody's, and poisoned all the same
}

int ModelledWorld::index_of(int rank) const {
  const auto found = std::ranges::lower_bound(local_, rank);
  RELOADLAB_CHECK(found != local_.end() && *found == rank, "a rank that is run here");
  return static_cast<int>(found - local_.begin());
}

c10::Device ModelledWorld::device(int rank) const { return modelled_device(index_of(rank)); }
std::string ModelledWorld::broken() const { return machine_.device_error().empty() ? "" : "a kernel failed: " + machine_.device_error(); }
AccountPtr ModelledWorld::account(int rank) const { return machine_.memory().account(index_of(rank)); }

Devices::Ended ModelledWorld::run(const std::function<void(int)>& body, bool open) {
  std::optional<Machine::Fixed> fixed;
  if (!open) fixed.emplace(machine_);
  const RunReport report = machine_.run([&](int index) {
    AccountScope host(Account::of_host(machine_.memory().account(index)->poison()));
    body(local_[static_cast<size_t>(index)]);
  });
  for (const std::exception_ptr& failure : report.failures)
    if (failure) std::rethrow_exception(failure);
  return {report.stopped, report.waits, report.stopped_in};
}

void ModelledWorld::apart(const std::function<void()>& doings) {
  const Machine::Fixed fixed(machine_);
  doings();
}

void ModelledWorld::each_rank(const std::function<void(int)>& body) {
  const Ended ended = run(body, true);
  TORCH_CHECK(ended.why.empty(), ended.why, "; ", fmt::format("{}", fmt::join(ended.waits, "; ")));
}

c10::intrusive_ptr<c10d::ProcessGroup> ModelledWorld::group(const std::string& name, const std::vector<int64_t>& ranks) {
  GroupOptions options{.name = name, .ranks = {}, .mode = mode_};
  for (const int64_t rank : ranks) options.ranks.push_back(index_of(static_cast<int>(rank)));
  if (ranks.empty()) {
    options.ranks.resize(local_.size());
    std::iota(options.ranks.begin(), options.ranks.end(), 0);
  }
  return make_group(options, machine_.device());
}

c10::intrusive_ptr<c10d::Store> ModelledWorld::store(const std::string& name) { return make_store(name, stores_); }

namespace {

class ModelledGraph final : public DeviceGraph {
 public:
  explicit ModelledGraph(const Graph* shares) : graph_(shares) {}
  const Graph& graph() const { return graph_; }
  void capture_begin() override { graph_.capture_begin(); }
  void capture_end() override { graph_.capture_end(); }
  void replay() override { graph_.replay(); }

 private:
  Graph graph_;
};

}  // namespace

std::unique_ptr<DeviceGraph> ModelledWorld::make_graph(const GraphOptions& options) {
  const auto* shares = static_cast<const ModelledGraph*>(options.shares_pool_with);
  return std::make_unique<ModelledGraph>(shares ? &shares->graph() : nullptr);
}

// Without bytes there is nothing to keep, but for the access: by the name that a copy's has.
at::Tensor ModelledWorld::read(const at::Tensor& tensor) {
  if (has_bytes()) return tensor.clone();
  Kernel kernel{.name = "aten::copy_", .accesses = {access_to(tensor, false)}};
  kernel.cost = kernel_cost(machine_.config().rates, 2 * static_cast<int64_t>(tensor.nbytes()), 0);
  machine_.issue(stream_here(device_called(tensor.device().index())), std::move(kernel));
  return {};
}

at::Tensor ModelledWorld::bytes_now(const at::Tensor& tensor) const {
  need_bytes("a tensor's content");
  return alias_on_cpu(tensor);
}

std::vector<SeenRace> ModelledWorld::races() const {
  return seen_races(
      machine_.races(), [&](ActorId actor) { return local_[static_cast<size_t>(machine_.device_of(actor))]; },
      [&](ActorId actor) { return machine_.actor_name(actor); });
}

std::vector<DeviceStep> ModelledWorld::timeline() const {
  std::vector<DeviceStep> steps;
  for (const Step& step : machine_.steps())
    steps.push_back({.rank = local_[static_cast<size_t>(machine_.device_of(step.actor))],
                     .stream = machine_.actor_name(step.actor),
                     .operation = step.name,
                     .about = step.label ? *step.label : About(),
                     .start = step.start,
                     .end = step.end,
                     .point = step.point});
  return steps;
}

void ModelledWorld::spend(int64_t picoseconds) {
  machine_.issue(stream_here(machine_.device()), Kernel{.name = "compute", .cost = picoseconds, .run = [] {}, .undisturbed = true});
}

int64_t ModelledWorld::mark() {
  marks_.push_back(machine_.record(stream_here(machine_.device()), "a mark"));
  return static_cast<int64_t>(marks_.size()) - 1;
}

int64_t ModelledWorld::time_of(int64_t mark) const {
  const Point& point = *marks_.at(static_cast<size_t>(mark));
  return point.done ? point.time : -1;
}

// The driver adds on the first rank's device, whose copies wait for their sources.
at::Tensor ModelledWorld::sum(const std::vector<at::Tensor>& local_partials) {
  RELOADLAB_CHECK(local_partials.size() == local_.size(), "one partial result for each rank");
  const c10::DeviceGuard guard(local_partials.front().device());
  at::Tensor total = local_partials.front().clone();
  for (size_t rank = 1; rank < local_partials.size(); ++rank) total.add_(local_partials[rank].to(total.device()));
  return total;
}

}  // namespace reloadlab::sim::modelled
