#include "reference/model/post_load.h"

#include <ATen/ops/equal.h>

#include "reference/model/device.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/memory_probe.h"
#include "tests/reference/model/quant_step.h"

namespace reloadlab::model {
namespace {

struct Recorder : PostLoadListener {
  Status enter(Layer& layer) override { return note("enter", layer); }
  Status middle(Layer& layer) override { return note("middle", layer); }
  void leave(Layer& layer, const Status& outcome) override { (void)note(outcome.ok() ? "leave" : "leave failed", layer); }
  Status note(const std::string& what, Layer& layer) {
    log.push_back(what + " " + layer.path());
    return what == fail_at ? Status(Code::failed, "on purpose") : Status();
  }
  std::vector<std::string> log;
  std::string fail_at;
};

LayerSpec quantized(std::string name = "x", std::string quant = "tile_permute", DType dtype = DType::f32, int64_t rows = 7) {
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", 3L}, {"out", rows}}, std::move(name), dtype);
  spec.quant = std::move(quant);
  return spec;
}

TEST(PostLoad, runs_in_module_order_and_deferred_layers_last) {
  std::unique_ptr<Model> model = cold(
      model_of({layer_of("attention", {{"heads", 2L}}, "attn"), quantized("a"), layer_of("norm", {{"hidden", 2L}}, "n"), quantized("b")}));
  Recorder recorder;
  PostLoadScope scope(recorder);
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(recorder.log, (std::vector<std::string>{"enter a", "middle a", "leave a", "enter b", "middle b", "leave b", "enter attn",
                                                    "middle attn", "leave attn"}));
}

TEST(PostLoad, a_listener_may_fail_the_entry_and_then_nothing_is_processed) {
  std::unique_ptr<Model> model = cold(model_of({quantized()}));
  ParameterPtr before = model->find_tensor("x.weight");
  Recorder recorder;
  PostLoadScope scope(recorder);
  recorder.fail_at = "enter";
  EXPECT_EQ(process_model_after_loading(*model).message(), "on purpose");
  EXPECT_EQ(model->find_tensor("x.weight"), before);
  EXPECT_EQ(recorder.log.back(), "leave failed x");
}

TEST(PostLoad, a_listener_may_fail_the_step_between_its_writes) {
  std::unique_ptr<Model> model = cold(model_of({quantized()}));
  ParameterPtr before = model->find_tensor("x.weight");
  Recorder recorder;
  PostLoadScope scope(recorder);
  recorder.fail_at = "middle";
  EXPECT_FALSE(process_model_after_loading(*model).ok());
  EXPECT_NE(model->find_tensor("x.weight"), before);
  EXPECT_EQ(model->find_tensor("x.weight_row_max"), nullptr);
}

TEST(PostLoad, of_a_layer_without_its_tensors_is_an_error) {
  for (const char* id : {"tile_permute", "drifting_shape", "drifting_dtype", "drifting_extra", "drifting_rename"}) {
    std::unique_ptr<Model> model = cold(model_of({quantized("x", id)}));
    ASSERT_TRUE(process_model_after_loading(*model).ok()) << id;
    model->find("x")->erase("weight");
    EXPECT_EQ(process_model_after_loading(*model).message(), "layer x has no tensor weight") << id;
  }
}

TEST(PostLoad, attention_keeps_its_scales_on_the_host) {
  const ModelSpec spec = model_of({layer_of("attention", {{"heads", 2L}})});
  std::unique_ptr<Model> model = cold(spec);
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  const auto& host = model->find("x")->extra.host;
  EXPECT_EQ(host.at("k_scale_float"), values_of(tensor_at(*model, "x.k_scale"))[0]);
  EXPECT_EQ(host.at("v_scale_float"), 2.0);
}

TEST(PostLoad, attention_keeps_all_four_scales_on_the_host) {
  std::unique_ptr<Model> model = cold(model_of({layer_of("attention", {{"heads", 2L}, {"query_scales", true}})}));
  Recorder recorder;
  PostLoadScope scope(recorder);
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  const auto& host = model->find("x")->extra.host;
  for (const char* name : {"k_scale", "v_scale", "q_scale", "prob_scale"})
    EXPECT_EQ(host.at(std::string(name) + "_float"), values_of(tensor_at(*model, std::string("x.") + name))[0]) << name;
  EXPECT_EQ(host.size(), 4u);
  EXPECT_EQ(std::ranges::count(recorder.log, "middle x"), 3);
}

TEST(TilePermute, interleaves_the_halves_and_derives_row_maxima) {
  std::unique_ptr<Model> model = cold(model_of({quantized()}));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  std::vector<double> first_of_row, maxima = values_of(tensor_at(*model, "x.weight_row_max"));
  const std::vector<double> weight = values_of(tensor_at(*model, "x.weight"));
  for (size_t row = 0; row < 7; ++row) first_of_row.push_back(weight[row * 3]);
  EXPECT_EQ(first_of_row, (std::vector<double>{1, 10, 4, 13, 7, 16, 19}));
  for (size_t row = 0; row < 7; ++row) EXPECT_EQ(maxima[row], first_of_row[row] + 2);
}

TEST(TilePermute, keeps_attributes_class_and_loader_under_a_new_handle) {
  std::unique_ptr<Model> model = cold(model_of({quantized()}));
  ParameterPtr before = model->find_tensor("x.weight");
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  ParameterPtr after = model->find_tensor("x.weight");
  EXPECT_NE(before, after);
  EXPECT_EQ(before->attributes, after->attributes);
  EXPECT_EQ(before->tensor_class, after->tensor_class);
  EXPECT_EQ(before->loader, after->loader);
  EXPECT_FALSE(before->tensor.is_alias_of(after->tensor));
}

TEST(TilePermute, is_undone_for_computing) {
  for (const int64_t rows : {1, 2, 7, 32}) {
    const ModelSpec spec = model_of({quantized("x", "tile_permute", DType::bf16, rows)});
    std::unique_ptr<Model> model = cold(spec), plain = cold(spec);
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    const at::Tensor undone = model->find("x")->quant_method->checkpoint_layout("weight", tensor_at(*model, "x.weight"));
    EXPECT_TRUE(undone.equal(tensor_at(*plain, "x.weight")));
    EXPECT_FALSE(model->find("x")->buffers.find("weight_row_max")->persistent);
  }
}

std::vector<LayerSpec> sizes() {
  std::vector<LayerSpec> all;
  for (const char* method : {"none", "tile_permute", "row_table"})
    for (const DType dtype : {DType::f32, DType::bf16, DType::f64, DType::i8, DType::i32})
      for (const int64_t rows : {1, 2, 7, 32}) all.push_back(quantized("x", method, dtype, rows));
  return all;
}

INSTANTIATE_TEST_SUITE_P(Permutations, QuantStep, ::testing::ValuesIn(sizes()), quant_step_name);

std::unique_ptr<Model> processed_twice(std::string quant) {
  std::unique_ptr<Model> model = cold(model_of({quantized("x", std::move(quant))}));
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(values_of(tensor_at(*model, "x.weight")).size(), 21u);
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  return model;
}

TEST(Drifting, leaves_something_else_from_the_second_run_on) {
  EXPECT_EQ(tensor_at(*processed_twice("drifting_shape"), "x.weight").sizes().vec(), (Shape{1, 3}));
  EXPECT_EQ(tensor_at(*processed_twice("drifting_dtype"), "x.weight").scalar_type(), at::kDouble);
  EXPECT_NE(processed_twice("drifting_extra")->find_tensor("x.late_scale"), nullptr);
  std::unique_ptr<Model> renamed = processed_twice("drifting_rename");
  EXPECT_EQ(renamed->find_tensor("x.weight"), nullptr);
  EXPECT_NE(renamed->find_tensor("x.weight_packed"), nullptr);
}

TEST(Drifting, takes_the_bytes_that_it_declares) {
  for (const char* id : {"drifting_shape", "drifting_dtype", "drifting_extra", "drifting_rename"}) {
    const LayerSpec spec = quantized("x", id);
    std::unique_ptr<Model> model = cold(model_of({spec}));
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    ParameterPtr before = model->find_tensor("x.weight");
    MemoryProbe probe;
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    EXPECT_EQ(probe.peak(), find_quant_method(id)->extra_bytes(find_layer_kind(spec.kind)->slots(spec, {}))) << id;
  }
}

// What the kernel's name is, and whether a later run gets there.
TEST(Renamed, leaves_the_kernels_name_unless_a_guard_stops_it) {
  for (const char* id : {"renamed", "renamed_once"}) {
    std::unique_ptr<Model> model = cold(model_of({quantized("x", id)}));
    const ParameterPtr loaded = model->find_tensor("x.weight");
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    EXPECT_EQ(model->find_tensor("x.weight"), nullptr);
    ASSERT_NE(model->find_tensor("x.weight_kernel"), nullptr);
    EXPECT_TRUE(at::equal(model->find_tensor("x.weight_kernel")->tensor, loaded->tensor));
    const LayerPtr layer = model->find("x");  // as a reload has it
    layer->erase("weight_kernel");
    layer->assign("weight", loaded);
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    EXPECT_EQ(layer->tensor("weight_kernel") == nullptr, std::string_view(id) == "renamed_once");
  }
}

TEST(KernelObject, takes_what_the_one_before_it_owned_along) {
  std::unique_ptr<Model> model = cold(model_of({quantized("x", "kernel_helpers")}));
  ExtraState& extra = model->find("x")->extra;
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  const at::Tensor strides = extra.tensors.at("kernel:strides");
  EXPECT_EQ(strides[0].item<int64_t>(), tensor_at(*model, "x.weight").stride(0));
  EXPECT_TRUE(extra.tensors.at("kernel:weight").is_same(tensor_at(*model, "x.weight")));
  extra.tensors["scratch"] = strides;
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_FALSE(extra.tensors.at("kernel:strides").is_alias_of(strides));
  EXPECT_FALSE(extra.tensors.contains("scratch"));
}

LayerSpec with_cache() {
  LayerSpec spec = layer_of("buffers", {{"shape", Shape{3, 2}}, {"empty_buffer", true}}, "x", DType::bf16);
  spec.quant = "fills_cache";
  return spec;
}

INSTANTIATE_TEST_SUITE_P(KernelObjects, QuantStep,
                         ::testing::Values(quantized("x", "kernel_helpers"), quantized("x", "kernel_constants"),
                                           quantized("x", "kernel_scratch"), quantized("x", "renamed"), quantized("x", "renamed_once"),
                                           with_cache()),
                         quant_step_name);

TEST(FillsCache, fills_the_slot_that_was_empty) {
  std::unique_ptr<Model> model = cold(model_of({with_cache()}));
  const LayerPtr layer = model->find("x");
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  ASSERT_NE(layer->tensor("cache"), nullptr);
  EXPECT_TRUE(at::equal(layer->tensor("cache")->tensor, tensor_at(*model, "x.weight").select(1, 0)));
  layer->buffers.erase("cache");
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(layer->tensor("cache"), nullptr);
  EXPECT_TRUE(layer->extra.tensors.contains("cache"));
}

// What a loader allocates for itself when it writes a real tensor is declared, since it counts in the memory formula.
TEST(LoaderScratch, is_what_the_loader_takes) {
  std::vector<LayerSpec> layers;
  for (const char* via : {"copy", "rows", "steps", "transpose", "flat", "bytes", "twice", "temporary", "broadcast", "foreach", "index_copy",
                          "index_put", "mask"})
    layers.push_back(layer_of("custom_loader", {{"rows", 5L}, {"columns", 3L}, {"via", std::string(via)}}, via, DType::bf16));
  for (const char* transform : {"negate", "negative_exp"})
    for (DType dtype : {DType::f32, DType::bf16})
      layers.push_back(layer_of("composed", {{"size", 8L}, {"transform", std::string(transform)}},
                                std::string(transform) + std::string(dtype_name(dtype)), dtype));
  layers.push_back(
      layer_of("scalars", {{"rows", 4L}, {"columns", 3L}, {"shape_deliveries", 1L}, {"trailing", 2L}}, "scalars", DType::bf16));
  layers.push_back(layer_of("qkv_parallel_linear", {{"hidden", 4L}, {"heads", 2L}, {"bias", true}}, "qkv"));
  layers.push_back(layer_of("vocab_parallel_embedding", {{"vocab", 5L}, {"hidden", 2L}, {"loader_pads", true}}, "vocab"));
  layers.push_back(layer_of("fused_experts", {{"hidden", 2L}, {"intermediate", 3L}, {"experts", 2L}}, "mlp.experts", DType::bf16));
  layers.push_back(layer_of("mamba_mixer", {{"channels", 4L}, {"state", 3L}}, "mixer", DType::bf16));
  const ModelSpec spec = model_of(layers);
  std::unique_ptr<Model> model = build_model(spec, {});
  const Source source = numbered(spec);
  for (const LayerSpec& layer : layers) {
    for (const Delivery& delivery : find_layer_kind(layer.kind)->deliveries(layer)) {
      const at::Tensor loaded = source(delivery);
      MemoryProbe probe;
      ASSERT_TRUE(load_one(*model, delivery, loaded).ok()) << delivery.name;
      EXPECT_EQ(probe.peak(), find_layer_kind(layer.kind)->loader_scratch_bytes(layer, delivery, {}, Operators::cpu)) << delivery.name;
    }
  }
}

// On CUDA a masked write takes more: what an H200 took beside the mask, and how much more it may come to.
TEST(LoaderScratch, bounds_what_a_masked_write_takes_on_cuda) {
  const struct {
    long elements;
    int64_t measured;
  } figures[] = {
      {1, 1287}, {24, 1471}, {1'000, 9'279}, {20'000, 161'535}, {100'000, 802'815}, {1'000'000, 8'018'943}, {100'000'000, 801'786'879}};
  for (const auto& [elements, measured] : figures) {
    const LayerSpec layer = layer_of("custom_loader", {{"rows", elements}, {"columns", 1L}, {"via", std::string("mask")}}, "mask");
    const LayerKind& kind = *find_layer_kind("custom_loader");
    const Delivery delivery = kind.deliveries(layer).front();
    const int64_t mask = kind.loader_scratch_bytes(layer, delivery, {}, Operators::cpu);
    EXPECT_EQ(mask, elements);
    const int64_t more = kind.loader_scratch_bytes(layer, delivery, {}, Operators::cuda) - mask;
    EXPECT_GE(more, measured) << elements;
    EXPECT_LE(more, measured + elements / 8) << elements;
  }
}

}  // namespace
}  // namespace reloadlab::model
