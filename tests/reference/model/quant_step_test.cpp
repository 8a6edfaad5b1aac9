#include "tests/reference/model/quant_step.h"

#include <set>

#include "reference/model/device.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/step_helpers.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::model {

const QuantInfo& QuantStep::info() const { return *find_quant_method(GetParam().quant); }
std::vector<SlotSpec> QuantStep::before() const { return find_layer_kind(GetParam().kind)->slots(GetParam(), {}); }

std::string quant_step_name(const ::testing::TestParamInfo<LayerSpec>& made) { return made.param.quant + "_" + std::to_string(made.index); }

TEST_P(QuantStep, takes_exactly_the_bytes_that_it_declares) {
  ASSERT_TRUE(process_model_after_loading(*cold(model_of({GetParam()}))).ok());  // what the process keeps is there from now on
  std::unique_ptr<Model> model = cold(model_of({GetParam()}));
  int64_t declared = info().extra_bytes(before());
  for (const SlotSpec& helper : step_helpers(GetParam().quant)) declared += storage_bytes(helper);
  MemoryProbe probe;
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(probe.peak(), declared);
}

TEST_P(QuantStep, leaves_the_slots_that_it_declares_in_their_order) {
  std::unique_ptr<Model> model = cold(model_of({GetParam()}));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  std::vector<std::string> names, declared;
  for_each_tensor(*model->find("x"), [&](const Slot& slot, bool) { names.push_back(slot.name); });
  for (const SlotSpec& slot : info().results(before())) {
    const at::Tensor& tensor = tensor_at(*model, "x." + slot.name);
    EXPECT_EQ(tensor.sizes().vec(), slot.shape) << slot.name;
    EXPECT_EQ(from_torch(tensor.scalar_type()), slot.dtype) << slot.name;
    EXPECT_TRUE(tensor.is_contiguous()) << slot.name;
    declared.push_back(slot.name);
  }
  EXPECT_EQ(names, declared);
}

TEST_P(QuantStep, runs_on_placeholders) {
  DeviceScope scope(at::kMeta);
  std::unique_ptr<Model> model = build_model(model_of({GetParam()}), {});
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  for (const SlotSpec& slot : info().results(before())) {
    EXPECT_TRUE(tensor_at(*model, "x." + slot.name).is_meta()) << slot.name;
    EXPECT_EQ(tensor_at(*model, "x." + slot.name).sizes().vec(), slot.shape) << slot.name;
  }
}

TEST_P(QuantStep, permutes_as_it_declares) {
  std::unique_ptr<Model> plain = cold(model_of({GetParam()})), model = cold(model_of({GetParam()}));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  for (const SlotSpec& slot : before()) {
    if (!info().permutes(slot.name)) continue;
    const std::vector<double> loaded = values_of(tensor_at(*plain, "x." + slot.name)),
                              after = values_of(tensor_at(*model, "x." + slot.name));
    const std::vector<int64_t> from = info().permutation(slot);
    ASSERT_EQ(from.size(), after.size()) << slot.name;
    for (size_t i = 0; i < after.size(); ++i) ASSERT_EQ(after[i], loaded[static_cast<size_t>(from[i])]) << slot.name << " " << i;
  }
}

// Those that drift declare what later runs leave, and have tests of their own.
TEST(QuantSteps, are_those_of_every_registered_method) {
  std::set<std::string> tried;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    if (!std::string_view(suite.name()).ends_with("/QuantStep")) continue;
    for (int test = 0; test < suite.total_test_count(); ++test) {
      const std::string name = suite.GetTestInfo(test)->name();  // "runs_on_placeholders/fp8_block_7"
      const size_t method = name.find('/') + 1;
      tried.insert(name.substr(method, name.rfind('_') - method));
    }
  }
  for (const QuantInfo& method : quant_methods())
    EXPECT_TRUE(tried.contains(std::string(method.id)) || method.id.starts_with("drifting_")) << method.id;
}

}  // namespace reloadlab::model
