#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::model {
namespace {

ModelSpec tied_model() {
  ModelSpec spec = model_of({layer_of("vocab_parallel_embedding", {{"vocab", 10L}, {"hidden", 2L}}, "embed"),
                             layer_of("parallel_lm_head", {{"vocab", 10L}, {"hidden", 2L}}, "head")});
  spec.layers[1].tied_to = "embed.weight";
  return spec;
}

TEST(Build, tied_slots_hold_one_handle) {
  std::unique_ptr<Model> model = cold(tied_model(), {1, 2});
  EXPECT_EQ(model->find_tensor("embed.weight"), model->find_tensor("head.weight"));
}

TEST(Build, a_tied_slot_takes_no_memory) {
  MemoryProbe probe;
  std::unique_ptr<Model> model = build_model(tied_model(), {});
  EXPECT_EQ(probe.peak(), tensor_at(*model, "embed.weight").nbytes());
}

TEST(Build, a_tied_slot_is_an_alias_without_deliveries) {
  const ModelSpec spec = tied_model();
  EXPECT_EQ(deliveries_of(spec).size(), 1u);
  EXPECT_EQ(find_layer_kind("parallel_lm_head")->slots(spec.layers[1], {})[0].alias_of, "embed.weight");
}

TEST(Build, a_tied_slot_keeps_its_place_among_the_names) {
  ModelSpec spec = model_of({layer_of("buffers", {{"shape", Integers{4}}}, "gate"),
                             layer_of("buffers", {{"shape", Integers{4}}, {"bias", std::string("loaded")}}, "experts")});
  spec.layers[1].tied_to = "gate.weight";
  std::unique_ptr<Model> model = cold(spec);
  EXPECT_EQ(model->find("experts")->parameters.begin()->name, "weight");
  EXPECT_EQ(model->find_tensor("experts.weight"), model->find_tensor("gate.weight"));
  EXPECT_NE(model->find_tensor("experts.bias"), nullptr);
}

TEST(Build, a_second_name_is_the_same_handle) {
  std::unique_ptr<Model> model = cold(model_of({layer_of("buffers", {{"shape", Integers{4}}, {"second_name", std::string("other")}})}));
  EXPECT_EQ(model->find_tensor("x.other"), model->find_tensor("x.weight"));
}

// Handles are shared before layers are linked, so a view finds what the tie put there, also when it stands before the tied layer.
TEST(Build, a_view_of_a_tied_tensor_is_one_of_what_it_is_tied_to) {
  const Values sizes{{"in", 2L}, {"out", 4L}};
  ModelSpec spec = model_of({layer_of("column_parallel_linear", sizes, "a"),
                             layer_of("buffers", {{"view_of", std::string("b.weight")}, {"view_shape", Integers{6}}}, "reader"),
                             layer_of("column_parallel_linear", sizes, "b")});
  spec.layers[2].tied_to = "a.weight";
  ASSERT_TRUE(check_model(spec, 1).ok()) << check_model(spec, 1).message();
  const auto model = cold(spec);
  EXPECT_TRUE(tensor_at(*model, "reader.view").is_alias_of(tensor_at(*model, "a.weight")));
  EXPECT_EQ(values_of(tensor_at(*model, "reader.view")), values_of(tensor_at(*model, "a.weight").reshape(-1).narrow(0, 0, 6)));
}

// A parent's view of its child's weight: made after both exist, with a handle of its own.
TEST(Build, views_share_storage_but_not_the_handle) {
  ModelSpec spec = model_of(
      {layer_of("buffers",
                {{"shape", Integers{1}}, {"view_of", std::string("conv.weight")}, {"view_shape", Integers{2, 2}}, {"view_start", 2L}},
                "mixer"),
       layer_of("buffers", {{"shape", Integers{2, 3}}}, "mixer.conv"),
       layer_of("buffers", {{"view_of", std::string("mixer.conv.weight")}, {"view_shape", Integers{6}}}, "reader")});
  std::unique_ptr<Model> model = cold(spec);
  const at::Tensor& weight = tensor_at(*model, "mixer.conv.weight");
  EXPECT_EQ(model->find("mixer")->children.front(), model->find("mixer.conv"));
  EXPECT_NE(model->find_tensor("mixer.view"), model->find_tensor("mixer.conv.weight"));
  EXPECT_TRUE(tensor_at(*model, "mixer.view").is_alias_of(weight));
  EXPECT_EQ(values_of(tensor_at(*model, "mixer.view")), values_of(weight.reshape(-1).narrow(0, 2, 4)));
  EXPECT_EQ(values_of(tensor_at(*model, "reader.view")), values_of(weight));
  EXPECT_FALSE(model->find("mixer")->buffers.find("view")->persistent);
}

TEST(Build, an_alias_names_own_slots_then_children_then_paths_from_the_root) {
  const ModelSpec spec = model_of({layer_of("buffers", {}, "a"), layer_of("buffers", {}, "a.b"), layer_of("buffers", {}, "b")});
  EXPECT_EQ(resolve_alias(spec, spec.layers[0], "weight"), "a.weight");
  EXPECT_EQ(resolve_alias(spec, spec.layers[0], "b.weight"), "a.b.weight");
  EXPECT_EQ(resolve_alias(spec, spec.layers[1], "b.weight"), "b.weight");
}

TEST(Build, layers_come_in_module_order_below_their_longest_prefix) {
  const auto leaf = [](const char* name) { return layer_of("norm", {{"hidden", 2L}}, name); };
  std::unique_ptr<Model> model = build_model(model_of({leaf("a"), leaf("b"), leaf("a.x"), leaf("a.x.deep.leaf"), leaf("ab")}), {});
  std::vector<std::string> paths;
  for (const LayerPtr& layer : model->layers()) paths.push_back(layer->path());
  EXPECT_EQ(paths, (std::vector<std::string>{"a", "a.x", "a.x.deep.leaf", "b", "ab"}));
  EXPECT_EQ(model->find("ab")->children.size(), 0u);
  EXPECT_EQ(model->find("nothing"), nullptr);
}

TEST(Build, models_leave_nothing_behind) {
  const int64_t layers = Counted<Layer>::live_count(), parameters = Counted<Parameter>::live_count();
  for (const LayerKind* kind : layer_kinds()) (void)kind;
  cold(tied_model()).reset();
  cold(model_of({layer_of("attention", {{"heads", 4L}, {"sinks", true}}), layer_of("composed", {{"size", 4L}}, "y"),
                 layer_of("qkv_parallel_linear", {{"hidden", 4L}, {"heads", 2L}}, "z.qkv")}))
      .reset();
  EXPECT_EQ(Counted<Layer>::live_count(), layers);
  EXPECT_EQ(Counted<Parameter>::live_count(), parameters);
}

TEST(Build, a_scope_counts_what_is_made_in_it) {
  auto earlier = std::make_shared<Parameter>();
  const Counted<Parameter>::Scope scope;
  auto own = std::make_shared<Parameter>(), copy = std::make_shared<Parameter>(*own);
  earlier.reset();
  {
    const Counted<Parameter>::Scope inner;
    earlier = std::make_shared<Parameter>();
    EXPECT_EQ(inner.live_count(), 1);
  }
  EXPECT_EQ(scope.live_count(), 2);
  own.reset();
  EXPECT_EQ(scope.live_count(), 1);
}

TEST(Build, padding_is_declared_on_the_parameter) {
  const LayerSpec padded = layer_of("column_parallel_linear", {{"in", 2L}, {"out", 3L}, {"pad_rows_to", 4L}, {"pad_value", 1.5}});
  std::unique_ptr<Model> model = cold(model_of({padded}), {1, 2});
  EXPECT_EQ(std::get<double>(model->find_tensor("x.weight")->attributes.at("pad_value")), 1.5);
  EXPECT_FALSE(cold(model_of({padded}), {0, 2})->find_tensor("x.weight")->attributes.contains("pad_value"));
}

// The constructor pads once; a loader that pads does it each time.
TEST(Build, a_loader_that_pads_restores_the_padding) {
  for (const bool pads : {false, true}) {
    const ModelSpec spec = model_of(
        {layer_of("vocab_parallel_embedding", {{"vocab", 3L}, {"hidden", 1L}, {"pad_to", 4L}, {"pad_value", 2.0}, {"loader_pads", pads}})});
    std::unique_ptr<Model> model = cold(spec);
    EXPECT_EQ(values_of(tensor_at(*model, "x.weight")), (std::vector<double>{1, 2, 3, 2}));
    tensor_at(*model, "x.weight").fill_(9);
    ASSERT_TRUE(load_all(*model, numbered(spec)).ok());
    EXPECT_EQ(values_of(tensor_at(*model, "x.weight")).back(), pads ? 2 : 9);
  }
}

TEST(Build, loaders_are_attached_as_the_key_says) {
  const auto loader_of = [](const char* how) {
    std::unique_ptr<Model> model =
        build_model(model_of({layer_of("column_parallel_linear", {{"in", 2L}, {"out", 2L}, {"loader", std::string(how)}})}), {});
    return model->find_tensor("x.weight")->loader;
  };
  EXPECT_TRUE(loader_of("bound")->is_method);
  EXPECT_FALSE(loader_of("free")->is_method);
  EXPECT_EQ(loader_of("none"), nullptr);
}

TEST(Build, the_first_forward_registers_late_parameters_once) {
  std::unique_ptr<Model> model = cold(model_of({layer_of("buffers", {{"shape", Integers{2}}, {"late", true}, {"scratch", true}})}));
  LayerPtr layer = model->find("x");
  EXPECT_EQ(layer->tensor("late"), nullptr);
  layer->kind->forward(*layer, at::Tensor());
  ParameterPtr late = layer->tensor("late");
  ASSERT_NE(late, nullptr);
  EXPECT_EQ(layer->extra.tensors.size(), 1u);
  layer->kind->forward(*layer, at::Tensor());
  EXPECT_EQ(layer->tensor("late"), late);
}

TEST(Build, attention_classes_differ_in_name_and_bring_their_own_step) {
  const auto built = [](const char* which) {
    return build_model(model_of({layer_of("attention", {{"heads", 2L}, {"class", std::string(which)}})}), {})->find("x");
  };
  EXPECT_EQ(built("attention")->class_name, "Attention");
  EXPECT_EQ(built("mla_attention")->class_name, "MLAAttention");
  EXPECT_EQ(built("encoder_attention")->class_name, "MMEncoderAttention");
  EXPECT_TRUE(built("encoder_attention")->own_post_load);
}

}  // namespace
}  // namespace reloadlab::model
