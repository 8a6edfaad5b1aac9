// Operators on `sim:r`: deferred, and equal to the CPU's in the end.
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

struct Device : ::testing::Test {
  Machine machine{{.ranks = 2}, round_robin()};
};

TEST_F(Device, HasAName) { EXPECT_EQ(at::zeros({1}, on(1)).device().str(), "sim:1"); }

TEST_F(Device, NothingRunsUntilTheHostWaits) {
  at::Tensor ones = at::ones({4}, on(0));
  EXPECT_EQ(machine.steps().size(), 0u);
  EXPECT_TRUE(std::isnan(alias_on_cpu(ones)[0].item<float>()));
  EXPECT_EQ(values(ones), repeated(1, 4));
}

TEST_F(Device, WhatAnOperatorRefusesItRefusesWhenItIsCalled) {
  const at::Tensor numbers = at::ones({2}, on(0).dtype(at::kBFloat16)), bytes = at::ones({2}, on(0).dtype(at::kByte));
  for (int again = 0; again < 2; ++again) {
    EXPECT_THROW(numbers.bitwise_and_(3), c10::NotImplementedError);
    EXPECT_THROW(bytes.fill_(1e9), std::runtime_error);
    EXPECT_THROW(numbers.add_(at::ones({3}, on(0))), c10::Error);
  }
  EXPECT_EQ(values(numbers.add_(bytes.fill_(4))), repeated(5, 2));
  EXPECT_EQ(machine.device_error(), "");
}

TEST_F(Device, TheCopyToTheHostWaitsForItsStreamOnly) {
  machine.wait(machine.stream(1, 0), std::make_shared<Point>());  // stays behind
  EXPECT_EQ(values(at::ones({4}, on(0))), repeated(1, 4));
}

TEST_F(Device, ItemAndEqualAndNonzeroAreHostSynchronizations) {
  at::Tensor x = at::arange(6, on(0).dtype(at::kFloat));
  EXPECT_EQ(x.sum().item<float>(), 15);
  EXPECT_TRUE(at::equal(x, x.clone()));
  EXPECT_FALSE(at::equal(x, x + 1));
  EXPECT_EQ(at::nonzero(x).size(0), 5);
  EXPECT_EQ(values(x.index({x > 3})), (std::vector<float>{4, 5}));
  EXPECT_EQ(at::masked_select(x, x < 2).numel(), 2);
}

TEST_F(Device, ANonBlockingCopyReadsItsSourceWhenItExecutes) {
  at::Tensor host = at::ones({4}), device = at::empty({4}, on(0));
  device.copy_(host, true);
  host.fill_(7);
  EXPECT_EQ(values(device), repeated(7, 4));
}

TEST_F(Device, ABlockingCopyHasReadItsSource) {
  at::Tensor host = at::ones({4}), device = at::empty({4}, on(0));
  device.copy_(host);
  host.fill_(7);
  EXPECT_EQ(values(device), repeated(1, 4));
}

TEST_F(Device, AKernelKeepsTheAddressThatItWasIssuedWith) {
  at::Tensor weight = at::full({4}, 1.0, on(0)), other = at::full({4}, 2.0, on(0));
  at::Tensor sum = weight + 0;
  weight.set_(other);
  EXPECT_EQ(values(sum), repeated(1, 4));
  EXPECT_EQ(values(weight + 0), repeated(2, 4));
}

TEST_F(Device, SetIsNoAccessToTheData) {
  at::Tensor weight = at::full({4}, 1.0, on(0)), other = at::full({4}, 2.0, on(0));
  size_t before = machine.steps().size();
  weight.set_(other);
  weight.t_();
  weight.unsqueeze_(0);
  weight.squeeze_();
  weight.set_();
  machine.synchronize_device(0);
  for (size_t step = before; step < machine.steps().size(); ++step)
    EXPECT_TRUE(machine.steps()[step].name == "aten::fill_" || machine.steps()[step].name == "record") << machine.steps()[step].name;
}

TEST_F(Device, RunningStatisticsAreWritten) {
  at::Tensor x = at::ones({4, 8}, on(0)), mean = at::zeros({8}, on(0)), variance = at::ones({8}, on(0));
  machine.synchronize_device(0);
  at::batch_norm(x, {}, {}, mean, variance, true, 0.1, 1e-5, false);
  c10::StreamGuard guard(side_stream(0));
  at::Tensor seen = mean + 0;
  machine.synchronize_device(0);
  EXPECT_EQ(raced(machine).size(), 1u);
}

TEST_F(Device, CopiesBetweenDevicesOrderBothStreams) {
  at::Tensor source = at::full({4}, 3.0, on(0));
  at::Tensor target = source.to(modelled_device(1));
  source.fill_(9);
  EXPECT_EQ(values(target), repeated(3, 4));
  EXPECT_TRUE(raced(machine).empty());
}

TEST_F(Device, AFailedKernelIsReportedAtTheNextWait) {
  at::Tensor table = at::ones({4, 2}, on(0)), index = at::full({1}, 9, on(0).dtype(at::kLong));
  at::Tensor row = at::embedding(table, index);
  std::string message = message_of([&] { (void)row.to(at::kCPU); });
  EXPECT_NE(message.find("a kernel failed earlier: aten::index_select on stream 0 of sim:0: index out of range"), std::string::npos)
      << message;
}

TEST_F(Device, ElapsedTimeIsTheCostModels) {
  c10::Event before(modelled_kind, c10::EventFlag::BACKEND_DEFAULT), after(modelled_kind, c10::EventFlag::BACKEND_DEFAULT);
  at::Tensor x = at::empty({1 << 20}, on(0));
  before.record(here(0));
  x.fill_(1);
  after.record(here(0));
  after.synchronize();
  EXPECT_DOUBLE_EQ(before.elapsedTime(after) * 1e9, static_cast<double>(kernel_cost(machine.config().rates, 4 << 20, 0)));
}

// Each expression on both devices: the same bytes.
struct Expression {
  const char* name;
  std::function<at::Tensor(const at::Tensor& x, const at::Tensor& w)> of;
  bool decomposed = false;  // devices without a kernel of their own add in another order
};

const std::vector<Expression>& expressions() {
  using at::Tensor;
  static const std::vector<Expression> table = {
      {"linear", [](const Tensor& x, const Tensor& w) { return at::linear(x, w); }},
      {"softmax", [](const Tensor& x, const Tensor&) { return at::softmax(x * 2 + 1, -1); }},
      {"cat_narrow",
       [](const Tensor& x, const Tensor& w) {
         return at::cat({x, w}, 0).narrow(0, 2, 5).contiguous();
       }},
      {"abs", [](const Tensor& x, const Tensor&) { return x.abs(); }},
      {"amax", [](const Tensor&, const Tensor& w) { return w.abs().amax({1}, true); }},
      {"fp8", [](const Tensor&, const Tensor& w) { return (w / 4).to(at::kFloat8_e4m3fn).to(at::kFloat); }},
      {"flip", [](const Tensor& x, const Tensor&) { return x.flip({1}); }},
      {"roll", [](const Tensor& x, const Tensor&) { return x.roll({1}, {0}); }},
      {"where", [](const Tensor& x, const Tensor&) { return at::where(x > 2, x, -x); }},
      {"index_select", [](const Tensor& x, const Tensor&) { return x.index_select(1, at::arange(3, x.options().dtype(at::kLong))); }},
      {"layer_norm", [](const Tensor& x, const Tensor&) { return at::layer_norm(x, {8}); }, true},
      {"batch_norm",
       [](const Tensor& x, const Tensor&) {
         Tensor mean = at::zeros({8}, x.options()), variance = at::ones({8}, x.options());
         Tensor result = at::batch_norm(x, {}, {}, mean, variance, true, 0.1, 1e-5, false);
         return at::cat({result, mean.view({1, 8}), variance.view({1, 8})}, 0);
       }},
      {"index_put",
       [](const Tensor& x, const Tensor& w) {
         Tensor copy = w.clone();
         return copy.index_put_({at::zeros({1}, x.options().dtype(at::kLong))}, x.select(0, 1));
       }},
      {"unbind", [](const Tensor& x, const Tensor&) { return x.unbind(0)[1] + x.chunk(2, 1)[0].sum(); }},
      {"aminmax", [](const Tensor&, const Tensor& w) { return std::get<0>(at::aminmax(w)) + std::get<1>(at::aminmax(w)); }},
      {"topk", [](const Tensor& x, const Tensor&) { return std::get<0>(x.topk(3)); }},
      {"transpose_view",
       [](const Tensor& x, const Tensor&) {
         return x.t().reshape({2, -1});
       }},
      {"out",
       [](const Tensor& x, const Tensor& w) {
         Tensor result = at::empty({0}, x.options());
         return at::mm_out(result, x, w);
       }},
      {"foreach",
       [](const Tensor& x, const Tensor& w) {
         std::vector<Tensor> list = {x.clone(), w.clone()};
         at::_foreach_add_(list, 1);
         return at::_foreach_mul(list, 2)[1];
       }},
      {"resize",
       [](const Tensor& x, const Tensor&) {
         Tensor copy = x.clone();
         copy.resize_({8, 8});
         copy.narrow(0, 4, 4).fill_(3);
         return copy;
       }},
  };
  return table;
}

class SameAsCpu : public ::testing::TestWithParam<Expression> {};

TEST_P(SameAsCpu, Bytes) {
  Machine machine({.ranks = 1}, round_robin());
  at::Tensor x = at::arange(32, at::kFloat).view({4, 8}) / 8, w = at::arange(64, at::kFloat).view({8, 8}) / 16;
  at::Tensor modelled = GetParam().of(x.to(modelled_device(0)), w.to(modelled_device(0)));
  at::Tensor plain = GetParam().of(x, w);
  at::Tensor host = modelled.to(at::kCPU);
  EXPECT_TRUE(GetParam().decomposed ? at::allclose(host, plain, 1e-5, 1e-6) : at::equal(host, plain));
  EXPECT_TRUE(raced(machine).empty());
}

INSTANTIATE_TEST_SUITE_P(Expressions, SameAsCpu, ::testing::ValuesIn(expressions()),
                         [](const auto& expression) { return expression.param.name; });

}  // namespace
}  // namespace reloadlab::sim::modelled
