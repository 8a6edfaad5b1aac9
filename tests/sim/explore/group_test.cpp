// Process groups and stores under exploration: aborts against completions, sums in either order, time-outs.
#include "sim/world/modelled/group.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "sim/explore/depth_first.h"
#include "sim/world/modelled/device.h"
#include "sim/world/modelled/store.h"
#include "tests/sim/explore/mini.h"

namespace reloadlab::sim::explore {
namespace {

using modelled::Machine;

std::set<std::string> ends(const Program& program, bool reduced, std::set<uint64_t>* traces = nullptr) {
  std::set<std::string> all;
  Coverage coverage = depth_first(program, {.reduced = reduced, .limits = {.executions = 200'000}}, [&](const Execution& run) {
    all.insert(run.outcome.verdict + run.outcome.state);
    return true;
  });
  EXPECT_TRUE(coverage.exhausted) << coverage.limit;
  if (traces) *traces = coverage.traces;
  return all;
}

void expect_both_agree(const Program& program, const std::set<std::string>& wanted) {
  std::set<uint64_t> reduced, all;
  EXPECT_EQ(ends(program, true, &reduced), wanted);
  EXPECT_EQ(ends(program, false, &all), wanted);
  EXPECT_EQ(reduced, all);
}

Program on_ranks(const std::function<std::string(Machine&, int rank)>& body) {
  return [body](std::unique_ptr<modelled::Chooser> chooser) {
    Machine machine({.ranks = 2}, std::move(chooser));
    std::vector<std::string> said(2);
    modelled::RunReport report = machine.run([&](int rank) { said[static_cast<size_t>(rank)] = body(machine, rank); });
    for (const std::exception_ptr& failure : report.failures)
      if (failure) std::rethrow_exception(failure);
    return Outcome{report.stopped, said[0] + "|" + said[1], 2, {}};
  };
}

// Not a barrier: c10d keeps the tensor of the last one in a static, so that a rank frees another one's.
c10::intrusive_ptr<c10d::Work> sum(const c10::intrusive_ptr<c10d::ProcessGroup>& group, int rank) {
  std::vector<at::Tensor> tensors = {at::empty({1}, at::TensorOptions().device(modelled::modelled_device(rank)))};
  c10d::AllreduceOptions options;
  options.asyncOp = true;
  return group->allreduce(tensors, options);
}

TEST(GroupSchedules, AnAbortComesBeforeOrAfterTheCompletion) {
  Program program = on_ranks([](Machine&, int rank) -> std::string {
    auto group = modelled::make_group({.name = "pair", .ranks = {0, 1}, .mode = modelled::GroupMode::gloo}, rank);
    try {
      auto work = sum(group, rank);
      if (rank == 1) return group->abort(), "";
      work->wait();
      return "complete";
    } catch (const c10::DistBackendError& error) {
      return std::string(error.what_without_backtrace()).find("#0") == std::string::npos ? "refused" : "failed";
    }
  });
  expect_both_agree(program, {"complete|", "failed|", "refused|"});
}

TEST(GroupSchedules, SumsInAStoreAreTakenInEitherOrder) {
  Program program = on_ranks([](Machine&, int) { return std::to_string(modelled::make_store("s")->add("count", 1)); });
  expect_both_agree(program, {"1|2", "2|1"});
}

TEST(GroupSchedules, ATimeOutComesWhereNothingElseCanGoOn) {
  Program program = on_ranks([](Machine& machine, int rank) -> std::string {
    auto never = std::make_shared<modelled::Point>();
    if (rank == 1) return modelled::make_store("s")->add("count", 1), "";
    bool done = machine.host_wait_for(never, std::chrono::milliseconds(3));
    return fmt::format("{} {}", done, modelled::make_store("s")->add("count", 1));
  });
  expect_both_agree(program, {"false 2|"});
}

}  // namespace
}  // namespace reloadlab::sim::explore
