#include "reference/online_quant/online_quant.h"

#include <ATen/record_function.h>

#include <functional>

#include "tests/reference/layerwise/rig.h"

namespace reloadlab::online_quant {
namespace {

using layerwise::linear;
using layerwise::Picture;
using layerwise::same_content;
using layerwise::same_in_place;
using model::Delivery;
using model::LayerSpec;
using model::model_of;
using model::ModelSpec;

LayerSpec quantized(LayerSpec spec, const std::string& method = "fp8_per_channel") {
  spec.quant = method;
  spec.dtype = DType::bf16;
  return spec;
}

ModelSpec two() { return model_of({quantized(linear("a", 4, 6, {{"bias", true}})), quantized(linear("b"), "fp8_per_tensor")}); }

ModelSpec tied() {
  ModelSpec spec = model_of({quantized(linear("a", 4, 6)), quantized(linear("b", 4, 6))});
  spec.layers[1].tied_to = "a.weight";
  return spec;
}

// A model that was loaded and quantized once, with the engine on it.
struct Rig {
  explicit Rig(const ModelSpec& the_spec, const std::string& policy)
      : spec(the_spec), model(model::build_model(spec, {})), engine(make_online_quant(*parse_policy(policy), {})) {
    EXPECT_OK(model::check_model(spec, 1));
    EXPECT_OK(engine->record(*model));
    EXPECT_OK(send(1));
    EXPECT_OK(engine->first_load_done(*model));
    EXPECT_OK(model::process_model_after_loading(*model));
  }

  Status send(int number, const std::string& except = "") {
    for (const Delivery& delivery : model::deliveries_of(spec))
      if (delivery.name != except) RELOADLAB_TRY(model::load_one(*model, delivery, layerwise::weight(delivery, number)));
    return {};
  }
  Status prepare() { return engine->prepare(*model); }
  Status finish() { return engine->finish(*model, DType::bf16); }
  Status reload(int number, const std::string& except = "") {
    RELOADLAB_TRY(prepare());
    RELOADLAB_TRY(send(number, except));
    return finish();
  }
  Picture now() const { return layerwise::picture(*model); }
  Picture cold(int number) const { return layerwise::cold(spec, number); }
  const void* address(const std::string& path) const { return model->find_tensor(path)->tensor.const_data_ptr(); }

  ModelSpec spec;
  std::unique_ptr<model::Model> model;
  std::unique_ptr<OnlineQuantReload> engine;
};

// A post-load step that looks around.
class Looks final : public model::QuantMethod {
 public:
  explicit Looks(std::function<void()> look) : look_(std::move(look)) {}
  std::string_view id() const override { return "looks"; }

 protected:
  Status process(model::Layer&) override { return look_(), Status(); }

 private:
  std::function<void()> look_;
};

class BothProfiles : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(all, BothProfiles, ::testing::Values("seed", "seed,created=in_place", "hardened"));

TEST_P(BothProfiles, what_is_loaded_is_quantized_as_a_cold_load_would) {
  Rig rig(two(), GetParam());
  EXPECT_TRUE(same_content(rig.cold(1), rig.now()));
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.cold(2), rig.now()));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_content(rig.cold(1), rig.now()));
}

TEST_P(BothProfiles, a_model_that_is_not_quantized_is_loaded_all_the_same) {
  Rig rig(model_of({linear("a"), linear("b")}), GetParam());
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.cold(2), rig.now()));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(OnlineQuantSeed, the_scale_that_quantization_made_moves) {
  Rig rig(two(), "seed");
  const void *weight = rig.address("a.weight"), *scale = rig.address("a.weight_scale");
  EXPECT_OK(rig.reload(2));
  EXPECT_EQ(weight, rig.address("a.weight"));
  EXPECT_NE(scale, rig.address("a.weight_scale"));
}

TEST(OnlineQuantSeed, created_in_place_and_hardened_move_nothing) {
  for (const char* policy : {"seed,created=in_place", "hardened"}) {
    Rig rig(two(), policy);
    const Picture before = rig.now();
    EXPECT_OK(rig.reload(2));
    EXPECT_OK(rig.reload(1));
    EXPECT_TRUE(same_in_place(before, rig.now())) << policy;
  }
}

TEST(OnlineQuantSeed, the_second_of_two_tied_names_is_quantized_twice) {
  Rig rig(tied(), "seed");
  const void* second = rig.address("b.weight");
  EXPECT_OK(rig.reload(2));
  EXPECT_NE(second, rig.address("b.weight"));
  EXPECT_FALSE(same_content(rig.cold(2), rig.now()));
}

TEST(OnlineQuantSeed, ties_all_and_hardened_load_both_names) {
  for (const char* policy : {"seed,ties=all,created=in_place", "hardened"}) {
    Rig rig(tied(), policy);
    const Picture before = rig.now();
    EXPECT_OK(rig.reload(2));
    EXPECT_TRUE(same_content(rig.cold(2), rig.now())) << policy;
    EXPECT_OK(rig.reload(1));
    EXPECT_TRUE(same_in_place(before, rig.now())) << policy;
  }
}

TEST(OnlineQuantSeed, a_free_function_gets_one_argument_too_many) {
  const ModelSpec spec = model_of({quantized(linear("a", 4, 6, {{"loader", std::string("free")}}))});
  Rig rig(spec, "seed");
  EXPECT_OK(rig.prepare());
  const Status status = rig.send(2);
  EXPECT_EQ("weight_loader is a free function and was bound to its parameter: one argument too many", status.message());
  for (const char* policy : {"seed,callables=kept", "hardened"}) EXPECT_OK(Rig(spec, policy).reload(2));
}

// While the last layer is quantized, and after the update: whether the fresh parameter of that name is still there.
std::pair<bool, bool> fresh_lives(const ModelSpec& spec, const std::string& path) {
  Rig rig(spec, "seed");
  EXPECT_OK(rig.prepare());
  const std::weak_ptr<model::Parameter> fresh = rig.model->find_tensor(path);
  bool meanwhile = false;
  const auto looks = std::make_shared<Looks>([&] { meanwhile = !fresh.expired(); });
  rig.model->layers().back()->quant_method = looks;
  EXPECT_OK(rig.finish());
  return {meanwhile, !fresh.expired()};
}

// The update is one call, and a name in it stands for what got its attributes last. Where that is not what is quantized last, it costs.
TEST(OnlineQuantSeed, the_parameter_that_was_restored_last_stays_until_the_end) {
  EXPECT_EQ(std::pair(true, false), fresh_lives(tied(), "a.weight"));
  EXPECT_EQ(std::pair(false, false), fresh_lives(two(), "a.weight"));
}

TEST(OnlineQuantSeed, a_parameter_whose_loader_is_bound_to_it_waits_for_a_collector) {
  ModelSpec spec = two();
  spec.layers[0] = quantized(linear("a", 4, 6, {{"loader", std::string("free")}}));
  EXPECT_EQ(std::pair(true, false), fresh_lives(spec, "a.weight"));
}

// Looks while an operator is called.
class DuringOperators {
 public:
  explicit DuringOperators(std::function<void()> look) {
    now = std::move(look);
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback([](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> {
                                           now();
                                           return nullptr;
                                         }).scopes({at::RecordScope::FUNCTION}));
  }
  ~DuringOperators() { at::removeCallback(handle_); }

 private:
  static inline std::function<void()> now;
  at::CallbackHandle handle_;
};

// Updates that are left open. The third one lets go of what the first had made and the second was to replace.
bool first_outlives_the_third_prepare(const LayerSpec& layer) {
  Rig rig(model_of({quantized(layer)}), "seed");
  EXPECT_OK(rig.prepare());
  const std::weak_ptr<model::Parameter> first = rig.model->find_tensor("a.weight");
  EXPECT_OK(rig.prepare());
  bool meanwhile = false;
  {
    const DuringOperators looks([&] { meanwhile = meanwhile || !first.expired(); });
    EXPECT_OK(rig.prepare());
  }
  EXPECT_TRUE(first.expired());
  return meanwhile;
}

TEST(OnlineQuantSeed, what_a_free_loader_was_bound_to_waits_for_a_collector_behind_the_call) {
  EXPECT_TRUE(first_outlives_the_third_prepare(linear("a", 4, 6, {{"loader", std::string("free")}})));
  EXPECT_FALSE(first_outlives_the_third_prepare(linear("a", 4, 6)));
}

TEST(OnlineQuantSeed, a_failure_leaves_fresh_parameters_and_the_mark_clear) {
  ModelSpec spec = two();
  spec.layers[1] = quantized(linear("b"), "drifting_rename");
  Rig rig(spec, "seed");
  const void* weight = rig.address("a.weight");
  EXPECT_FALSE(rig.model->flags.contains("process_weights_after_loading_already_called"));
  EXPECT_CODE(Code::failed, rig.reload(2));
  EXPECT_FALSE(rig.model->flags.at("process_weights_after_loading_already_called"));
  EXPECT_EQ(nullptr, rig.model->find_tensor("b.weight"));
  EXPECT_EQ(weight, rig.address("a.weight"));  // copied back before the failure
  EXPECT_CODE(Code::failed, rig.prepare());    // the name is gone, and had attributes
  EXPECT_CODE(Code::unsupported, rig.engine->abort(*rig.model));
}

// What an update replaces lives no longer than the update, whichever of its steps is the one that fails.
TEST(OnlineQuantSeed, a_failure_lets_go_of_what_was_to_be_replaced) {
  const auto original_dies = [](const ModelSpec& spec, const std::function<Status(Rig&)>& failing) {
    Rig rig(spec, "seed");
    const std::weak_ptr<model::Parameter> original = rig.model->find_tensor("b.weight");
    EXPECT_FALSE(failing(rig).ok());
    return original.expired();
  };
  EXPECT_TRUE(original_dies(two(), [](Rig& rig) {
    EXPECT_OK(rig.prepare());
    return rig.engine->abort(*rig.model);
  }));
  ModelSpec renaming = two();
  renaming.layers[0] = quantized(linear("a"), "drifting_rename");
  EXPECT_TRUE(original_dies(renaming, [](Rig& rig) { return rig.reload(2); }));
}

TEST(OnlineQuantSeed, a_parameter_without_a_shape_cannot_be_recorded) {
  ModelSpec spec = two();
  spec.layers.push_back(layerwise::layer_of("buffers", {{"shape", std::vector<int64_t>{2, 2}}, {"lazy", true}}, "x"));
  const auto model = model::build_model(spec, {});
  const auto engine = make_online_quant(*parse_policy("seed"), {});
  EXPECT_CODE(Code::failed, engine->first_load_done(*model));
  EXPECT_OK(engine->prepare(*model));  // of what was not recorded: loads go straight through
  EXPECT_FALSE(model->find_tensor("a.weight")->tensor.is_meta());
}

TEST(OnlineQuantSeed, the_mark_is_set_by_the_first_update_and_not_by_the_first_load) {
  Rig rig(two(), "seed");
  EXPECT_FALSE(rig.model->flags.contains("process_weights_after_loading_already_called"));
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(rig.model->flags.at("process_weights_after_loading_already_called"));
}

TEST(OnlineQuantSeed, what_is_marked_as_processed_is_not_processed_again) {
  Rig rig(two(), "seed");
  EXPECT_OK(rig.reload(2));
  const Picture before = rig.now();
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_in_place(before, rig.now()));
  Rig unmarked(two(), "seed");
  const Picture loaded = unmarked.now();
  EXPECT_OK(unmarked.finish());
  EXPECT_FALSE(same_in_place(loaded, unmarked.now()));
}

TEST(OnlineQuantSeed, an_attribute_that_the_restored_parameter_lacks_comes_back) {
  Rig rig(model_of({quantized(linear("a", 4, 6, {{"pad_rows_to", int64_t{4}}, {"pad_value", 0.5}}))}), "seed");
  EXPECT_OK(rig.prepare());
  const model::ParameterPtr restored = rig.model->find_tensor("a.weight");
  EXPECT_EQ(0.5, std::get<double>(restored->attributes.at("pad_value")));
  EXPECT_EQ("Parameter", restored->tensor_class);
  EXPECT_EQ(at::kBFloat16, restored->tensor.scalar_type());
}

TEST(OnlineQuantSeed, what_is_not_sent_is_quantized_from_memory_that_nobody_wrote) {
  Rig rig(two(), "seed");
  EXPECT_OK(rig.reload(2, "b.weight"));
  EXPECT_FALSE(same_content(rig.cold(2), rig.now()));
  Picture now = rig.now(), before = rig.cold(1);
  const auto holds = [](const Picture& picture, const std::string& path) {
    for (const auto& entry : picture.entries)
      if (entry.path == path) return entry.bytes;
    return std::vector<std::byte>();
  };
  EXPECT_NE(holds(before, "b.weight"), holds(now, "b.weight"));
}

TEST(OnlineQuantHardened, an_update_can_be_abandoned) {
  Rig rig(two(), "hardened");
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send(2, "b.weight"));
  EXPECT_OK(rig.engine->abort(*rig.model));
  EXPECT_TRUE(same_in_place(before, rig.now()));
  EXPECT_FALSE(rig.engine->unusable());
}

}  // namespace
}  // namespace reloadlab::online_quant
