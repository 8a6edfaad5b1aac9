#include "reference/model/tap/tap.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/_to_copy.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <thread>

#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

struct TapRecorder : OpListener {
  explicit TapRecorder(std::vector<std::string>& into, std::string prefix = {}) : log(into), name(std::move(prefix)) {}
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override {
    if (throws) throw std::runtime_error("not this one");
    EXPECT_GE(stack.size(), op.schema().arguments().size());
    log.push_back(name + "+" + op.schema().name());
  }
  void after(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override {
    EXPECT_GE(stack.size(), op.schema().returns().size());
    log.push_back(name + "-" + op.schema().name());
  }
  std::vector<std::string>& log;
  std::string name;
  bool throws = false;
};

class Taps : public ::testing::TestWithParam<Tap> {
 protected:
  std::vector<std::string> log;
  at::Tensor tensor = at::zeros({2});
  at::Tensor other = at::ones({2});
};

TEST_P(Taps, see_operators_while_the_guard_lives) {
  TapRecorder recorder(log);
  tensor.copy_(other);
  {
    TapGuard guard(GetParam(), recorder);
    tensor.copy_(other);
  }
  tensor.copy_(other);
  EXPECT_EQ(log, (std::vector<std::string>{"+aten::copy_", "-aten::copy_"}));
}

TEST_P(Taps, do_not_see_operators_inside_operators) {
  TapRecorder recorder(log);
  TapGuard guard(GetParam(), recorder);
  (void)at::_to_copy(tensor, at::kDouble);
  EXPECT_EQ(log, (std::vector<std::string>{"+aten::_to_copy", "-aten::_to_copy"}));
}

TEST_P(Taps, call_the_innermost_listener_first) {
  TapRecorder outer(log, "outer"), inner(log, "inner");
  TapGuard outer_guard(GetParam(), outer);
  {
    TapGuard inner_guard(GetParam(), inner);
    tensor.zero_();
  }
  tensor.zero_();
  EXPECT_EQ(log, (std::vector<std::string>{"inner+aten::zero_", "outer+aten::zero_", "inner-aten::zero_", "outer-aten::zero_",
                                           "outer+aten::zero_", "outer-aten::zero_"}));
}

TEST_P(Taps, are_silent_while_paused_and_speak_again_afterwards) {
  TapRecorder recorder(log);
  TapGuard guard(GetParam(), recorder);
  {
    TapPause pause(GetParam());
    tensor.zero_();
    TapPause nested(GetParam());
    tensor.zero_();
  }
  EXPECT_TRUE(log.empty());
  tensor.zero_();
  EXPECT_EQ(log.size(), 2u);
}

TEST_P(Taps, a_pause_without_listeners_switches_nothing_on) {
  { TapPause pause(GetParam()); }
  TapRecorder recorder(log);
  tensor.zero_();
  EXPECT_TRUE(log.empty());
}

TEST_P(Taps, survive_operators_that_throw) {
  TapRecorder recorder(log);
  TapGuard guard(GetParam(), recorder);
  EXPECT_ANY_THROW(tensor.copy_(at::ones({3})));
  log.clear();
  tensor.zero_();
  EXPECT_EQ(log, (std::vector<std::string>{"+aten::zero_", "-aten::zero_"}));
}

TEST_P(Taps, a_listener_that_throws_keeps_the_operator_from_running) {
  TapRecorder recorder(log);
  recorder.throws = true;
  {
    TapGuard guard(GetParam(), recorder);
    EXPECT_THROW(tensor.copy_(other), std::runtime_error);
  }
  EXPECT_EQ(values_of(tensor), std::vector<double>(2, 0.0));
}

TEST_P(Taps, belong_to_their_thread) {
  TapRecorder recorder(log);
  TapGuard guard(GetParam(), recorder);
  std::thread([&] { at::zeros({2}).zero_(); }).join();
  EXPECT_TRUE(log.empty());
}

INSTANTIATE_TEST_SUITE_P(both, Taps, ::testing::Values(Tap::engine, Tap::harness),
                         [](const auto& made) { return made.param == Tap::engine ? "engine" : "harness"; });

// What an engine counts must not depend on whether the harness looks, nor the other way round.
TEST(TapPair, both_taps_see_the_same_operator_the_harness_first) {
  std::vector<std::string> log;
  TapRecorder engine(log, "engine"), harness(log, "harness");
  TapGuard engine_guard(Tap::engine, engine);
  TapGuard harness_guard(Tap::harness, harness);
  at::Tensor tensor = at::zeros({2});
  log.clear();
  tensor.zero_();
  EXPECT_EQ(log, (std::vector<std::string>{"harness+aten::zero_", "engine+aten::zero_", "engine-aten::zero_", "harness-aten::zero_"}));
}

TEST(TapPair, pausing_the_harness_leaves_the_engine) {
  std::vector<std::string> log;
  TapRecorder engine(log, "engine"), harness(log, "harness");
  TapGuard engine_guard(Tap::engine, engine);
  TapGuard harness_guard(Tap::harness, harness);
  at::Tensor tensor = at::zeros({2});
  log.clear();
  TapPause pause(Tap::harness);
  tensor.zero_();
  EXPECT_EQ(log, (std::vector<std::string>{"engine+aten::zero_", "engine-aten::zero_"}));
}

}  // namespace
}  // namespace reloadlab::model
