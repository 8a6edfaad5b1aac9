// What a file brings several times for one place, with different values.
#include "sim/replay/unequal_repeats.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "reference/model/layer.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

// Every tensor is full of the length of the name that its values go by, or of its own.
struct Named final : Checkpoint {
  explicit Named(bool by_own_name) : unequal(by_own_name) {}
  Result<at::Tensor> read(const model::Delivery& delivery) const override {
    const std::string& name = unequal ? delivery.name : delivery.content();
    return at::full(delivery.shape, static_cast<double>(name.size()), model::to_torch(delivery.dtype));
  }
  bool unequal;
};

class UnequalRepeats : public testing::Test {
 protected:
  static model::LayerSpec packed(const std::string& name) {
    model::LayerSpec spec{.name = name, .kind = "packed_column_parallel_linear", .values = {{"in", 32L}, {"outs", Shape{8, 8}}}};
    spec.values["names"] = std::string("q,long");
    spec.values["zero_points"] = false;
    model::fill_defaults(spec);
    return spec;
  }
  Case case_ = tiny_case({linear_layer("up"), packed("a.qkv")});
  Catalogue catalogue_{case_.model};
};

TEST_F(UnequalRepeats, AreFoundInTheirLayers) {
  EXPECT_EQ(*layers_with_unequal_repeats(catalogue_, Named(true)), std::vector<int>{1});
  EXPECT_EQ(*layers_with_unequal_repeats(catalogue_, Named(false)), std::vector<int>());
}

TEST_F(UnequalRepeats, AreTakenInTheListedOrderOnly) {
  LoadPlan plan{.checkpoint = "B"};
  EXPECT_TRUE(check_listed_order(catalogue_, {1}, plan, 2).ok());
  plan.order = OrderKind::reversed;
  EXPECT_TRUE(check_listed_order(catalogue_, {0}, plan, 2).ok());  // one tensor
  EXPECT_TRUE(check_listed_order(catalogue_, {}, plan, 2).ok());
  EXPECT_EQ(check_listed_order(catalogue_, {1}, plan, 2).message(),
            "step 2: checkpoint B has different values for tensors of layer a.qkv that have one place; expected its tensors once, and in "
            "the order in which the model lists them");
}

}  // namespace
}  // namespace reloadlab::sim
