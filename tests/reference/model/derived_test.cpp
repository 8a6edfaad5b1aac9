// Kinds whose tensors are made from others: absorbed matrices, tables of the constructor, views, transforms.
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/formats.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::model {
namespace {

LayerSpec mla(std::string kv_b = {}, DType dtype = DType::f32) {
  return layer_of("mla_attention",
                  {{"heads", 4L}, {"qk_nope_head_dim", 2L}, {"v_head_dim", 3L}, {"kv_lora_rank", 5L}, {"kv_b", std::move(kv_b)}}, "attn",
                  dtype);
}
LayerSpec projection(int64_t rows = 20, DType dtype = DType::f32) {
  return layer_of("column_parallel_linear", {{"in", 5L}, {"out", rows}}, "attn.kv_b_proj", dtype);
}

TEST(MlaAttention, absorbs_each_heads_rows) {
  for (const bool child : {false, true}) {
    const ModelSpec spec = child ? model_of({mla("kv_b_proj.weight"), projection()}) : model_of({mla()});
    for (int rank : {0, 1}) {
      std::unique_ptr<Model> model = cold(spec, {rank, 2});
      ASSERT_TRUE(process_model_after_loading(*model).ok());
      const auto& helpers = model->find("attn")->extra.tensors;
      const at::Tensor whole = numbered(spec)(deliveries_of(spec).front()).view({4, 5, 5}).narrow(0, 2 * rank, 2);
      EXPECT_TRUE(helpers.at("W_UK_T").equal(whole.narrow(1, 0, 2)));
      EXPECT_TRUE(helpers.at("W_UV").equal(whole.narrow(1, 2, 3).transpose(1, 2)));
      EXPECT_TRUE(helpers.at("W_UV").is_contiguous());
    }
  }
}

TEST(MlaAttention, names_its_projection_as_checkpoints_do_whoever_has_it) {
  EXPECT_EQ(deliveries_of(model_of({mla()})).front().name, "attn.kv_b_proj.weight");
  EXPECT_EQ(deliveries_of(model_of({mla("kv_b_proj.weight"), projection()})).front().name, "attn.kv_b_proj.weight");
}

TEST(MlaAttention, a_step_makes_its_helpers_anew_and_nothing_else) {
  for (DType dtype : {DType::f32, DType::bf16}) {
    const ModelSpec spec = model_of({mla("kv_b_proj.weight", dtype), projection(20, dtype)});
    std::unique_ptr<Model> model = cold(spec);
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    const LayerPtr layer = model->find("attn");
    const ExtraState before = layer->extra;
    MemoryProbe probe;
    ASSERT_TRUE(run_own_post_load(*layer).ok());
    int64_t bytes = 0;
    for (const SlotSpec& helper : layer->kind->helpers(layer->spec, {})) {
      const at::Tensor& made = layer->extra.tensors.at(helper.name);
      EXPECT_EQ(made.sizes().vec(), helper.shape);
      EXPECT_EQ(from_torch(made.scalar_type()), helper.dtype);
      EXPECT_FALSE(made.is_alias_of(before.tensors.at(helper.name)));
      bytes += storage_bytes(helper);
    }
    EXPECT_EQ(probe.peak(), bytes);
    EXPECT_EQ(layer->extra.tensors.size(), layer->kind->helpers(layer->spec, {}).size());
  }
}

// What the projection stands for, one number at a time: its bytes, and the scale of each one's box.
TEST(MlaAttention, absorbs_what_a_quantized_projection_stands_for) {
  for (const std::string quant : {"fp8_per_tensor", "fp8_per_channel", "fp8_block", "int8_per_channel"})
    for (int ranks : {1, 2}) {
      LayerSpec child = projection(20, DType::bf16);
      child.quant = quant;
      const ModelSpec spec = model_of({mla("kv_b_proj.weight", DType::bf16), child});
      std::unique_ptr<Model> model = cold(spec, {ranks - 1, ranks});
      ASSERT_TRUE(process_model_after_loading(*model).ok());
      const at::Tensor& bytes = tensor_at(*model, "attn.kv_b_proj.weight");
      const at::Tensor scales = tensor_at(*model, quant == "fp8_block" ? "attn.kv_b_proj.weight_scale_inv" : "attn.kv_b_proj.weight_scale");
      const int64_t heads = 4 / ranks;
      const auto value = [&](int64_t row, int64_t column) {
        const bool transposed = quant == "fp8_per_tensor";
        const int64_t at = transposed ? column * bytes.stride(0) + row : row * bytes.stride(0) + column;
        const uint8_t byte = static_cast<const uint8_t*>(bytes.const_data_ptr())[at];
        const float number = quant == "int8_per_channel" ? static_cast<float>(static_cast<int8_t>(byte)) : from_e4m3(byte);
        return static_cast<double>(to_bf16(number * scales.const_data_ptr<float>()[scales.numel() > 1 ? row : 0]));
      };
      const auto& helpers = model->find("attn")->extra.tensors;
      const std::vector<double> query = values_of(helpers.at("W_UK_T")), behind = values_of(helpers.at("W_UV"));
      for (int64_t head = 0; head < heads; ++head)
        for (int64_t l = 0; l < 5; ++l) {
          for (int64_t i = 0; i < 2; ++i)
            ASSERT_EQ(query[static_cast<size_t>((head * 2 + i) * 5 + l)], value(head * 5 + i, l)) << quant << head << i << l;
          for (int64_t i = 0; i < 3; ++i)
            ASSERT_EQ(behind[static_cast<size_t>((head * 5 + l) * 3 + i)], value(head * 5 + 2 + i, l)) << quant << head << i << l;
        }
    }
}

TEST(MlaAttention, reading_a_quantized_projection_takes_what_its_method_declares) {
  LayerSpec online = projection(200, DType::bf16),
            loaded = layer_of("scaled_column_parallel_linear", {{"in", 5L}, {"outs", Shape{200}}}, "attn.kv_b_proj", DType::e4m3);
  loaded.values["names"] = std::string("kv_b_proj");
  std::vector<LayerSpec> children;
  for (const char* quant : {"fp8_per_tensor", "fp8_per_channel", "fp8_block", "int8_per_channel"}) {
    children.push_back(online);
    children.back().quant = quant;
  }
  for (const char* scales : {"tensor", "block"}) {
    children.push_back(loaded);
    children.back().values["scales"] = std::string(scales);
    children.back().quant = std::string("loaded_fp8_") + (scales == std::string("block") ? "block" : "per_tensor");
  }
  for (const LayerSpec& child : children) {
    LayerSpec attention = mla("kv_b_proj.weight", DType::bf16);
    attention.values["heads"] = int64_t{40};
    std::unique_ptr<Model> model = cold(model_of({attention, child}));
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    LayerPtr layer = model->find("attn");
    int64_t bytes = find_quant_method(child.quant)->value_bytes(find_layer_kind(child.kind)->slots(child, {}));
    for (const SlotSpec& helper : layer->kind->helpers(layer->spec, {})) bytes += storage_bytes(helper);
    MemoryProbe probe;
    ASSERT_TRUE(run_own_post_load(*layer).ok());
    EXPECT_EQ(probe.peak(), bytes) << child.quant;
    std::vector<std::string> sources{"attn.kv_b_proj.weight"};
    sources.emplace_back("attn.kv_b_proj.weight_scale" + std::string(child.quant.ends_with("block") ? "_inv" : ""));
    EXPECT_EQ(layer->own_derived(*layer).front().sources, sources);
    layer = nullptr, model = nullptr;  // the probe has to see what it counted go
  }
}

// Keys and values that are never made come to the same as those that are.
TEST(MlaAttention, computes_with_the_absorbed_matrices_alone) {
  const ModelSpec spec = model_of({mla()});
  std::unique_ptr<Model> model = cold(spec);
  const LayerPtr layer = model->find("attn");
  const at::Tensor input = layer->kind->example_input(layer->spec, {}, 3);
  EXPECT_THROW(layer->kind->forward(*layer, input), c10::Error);
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  const at::Tensor by_head = tensor_at(*model, "attn.kv_b_proj_weight").view({4, 5, 5});
  const at::Tensor latent = at::bmm(input.view({3, 4, 2}).transpose(0, 1), by_head.narrow(1, 0, 2));
  const at::Tensor expected = at::bmm(latent, by_head.narrow(1, 2, 3).transpose(1, 2)).transpose(0, 1).reshape({3, 12});
  EXPECT_TRUE(at::allclose(layer->kind->forward(*layer, input), expected));
}

TEST(MlaAttention, a_projection_that_does_not_fit_is_refused) {
  const auto complaint = [](std::vector<LayerSpec> layers) { return check_model(model_of(std::move(layers)), 1).message(); };
  EXPECT_EQ(complaint({mla("kv_b_proj.weight"), projection(21)}), "attn: reads kv_b_proj.weight: its shape is [21, 5], expected [20, 5]");
  EXPECT_NE(complaint({mla("kv_b_proj.weight")}).find("attn: reads kv_b_proj.weight: there is no layer \"kv_b_proj\""), std::string::npos);
  EXPECT_NE(complaint({mla("kv_b_proj.wieght"), projection()}).find("has no tensor \"wieght\""), std::string::npos);
  LayerSpec quantized = projection();
  quantized.quant = "tile_permute";
  EXPECT_EQ(complaint({mla("kv_b_proj.weight"), quantized}),
            "attn: reads kv_b_proj.weight: layer \"attn.kv_b_proj\" has quantization tile_permute, whose values other layers cannot read");
  const LayerSpec loaded = layer_of("scaled_column_parallel_linear", {{"in", 5L}, {"outs", Shape{20}}, {"names", std::string("kv_b_proj")}},
                                    "attn.kv_b_proj", DType::e4m3);
  EXPECT_EQ(complaint({mla("kv_b_proj.weight"), loaded}),
            "attn: reads kv_b_proj.weight: layer \"attn.kv_b_proj\" has it in e4m3 and no quantization");
}

TEST(MlaAttention, a_step_without_its_projection_is_an_error) {
  std::unique_ptr<Model> model = cold(model_of({mla("kv_b_proj.weight"), projection()}));
  const LayerPtr layer = model->find("attn");
  layer->children.front()->erase("weight");
  EXPECT_EQ(run_own_post_load(*layer).message(), "layer attn.kv_b_proj has no tensor weight");
  layer->children.clear();
  model.reset();
  EXPECT_EQ(run_own_post_load(*layer).message(), "attn: the layer of its projection is gone");
}

LayerSpec rotary(std::string name) {
  return layer_of("rotary_embedding", {{"rotary_dim", 4L}, {"max_position", 6L}, {"base", 16.0}}, std::move(name));
}

TEST(RotaryEmbedding, has_cosines_and_sines_of_each_position) {
  std::unique_ptr<Model> model = cold(model_of({rotary("x")}));
  const std::vector<double> table = values_of(tensor_at(*model, "x.cos_sin_cache"));
  for (int position = 0; position < 6; ++position) {
    EXPECT_FLOAT_EQ(table[position * 4], std::cos(position));
    EXPECT_FLOAT_EQ(table[position * 4 + 1], std::cos(position / 4.0));
    EXPECT_FLOAT_EQ(table[position * 4 + 3], std::sin(position / 4.0));
  }
  EXPECT_FALSE(model->find("x")->buffers.begin()->persistent);
}

TEST(RotaryEmbedding, turns_without_stretching) {
  std::unique_ptr<Model> model = cold(model_of({rotary("x")}));
  const LayerPtr layer = model->find("x");
  const at::Tensor input = layer->kind->example_input(layer->spec, {}, 2), output = layer->kind->forward(*layer, input);
  EXPECT_TRUE(output.select(0, 0).equal(input.select(0, 0)));
  EXPECT_FALSE(at::allclose(output.select(0, 1), input.select(0, 1)));
  EXPECT_TRUE(at::allclose(output.square().sum(1), input.square().sum(1)));
}

TEST(RotaryEmbedding, a_tied_table_is_shared) {
  LayerSpec second = rotary("b");
  second.tied_to = "a.cos_sin_cache";
  std::unique_ptr<Model> model = cold(model_of({rotary("a"), second}));
  EXPECT_EQ(model->find_tensor("a.cos_sin_cache"), model->find_tensor("b.cos_sin_cache"));
  EXPECT_FALSE(model->find("b")->buffers.begin()->persistent);
  EXPECT_EQ(model->find("b")->parameters.size(), 0u);
}

TEST(RotaryEmbedding, odd_sizes_are_refused) {
  LayerSpec odd = rotary("x");
  odd.values["rotary_dim"] = int64_t{5};
  EXPECT_EQ(check_model(model_of({odd}), 1).message(), "x: rotary_dim is 5, expected pairs");
  odd.values["rotary_dim"] = int64_t{4};
  odd.values["base"] = 0.0;
  EXPECT_EQ(check_model(model_of({odd}), 1).message(), "x: base is 0, expected more than 0");
}

LayerSpec mixer(std::string conv) {
  return layer_of("mamba_mixer", {{"channels", 4L}, {"state", 2L}, {"conv_kernel", 3L}, {"conv", std::move(conv)}}, "m");
}

TEST(MambaMixer, kernels_read_the_convolution_through_a_view) {
  for (const bool child : {false, true}) {
    std::vector<LayerSpec> layers{mixer(child ? "child" : "own")};
    if (child) layers.push_back(layer_of("column_parallel_linear", {{"in", 3L}, {"out", 4L}}, "m.conv1d"));
    std::unique_ptr<Model> model = cold(model_of(layers), {1, 2});
    const at::Tensor& weight = tensor_at(*model, child ? "m.conv1d.weight" : "m.conv1d_weight");
    const at::Tensor& view = tensor_at(*model, "m.conv_weights");
    EXPECT_EQ(weight.sizes().vec(), child ? (Shape{2, 3}) : (Shape{2, 1, 3}));
    EXPECT_EQ(view.sizes().vec(), (Shape{2, 3}));
    EXPECT_TRUE(view.is_alias_of(weight));
    EXPECT_EQ(values_of(view), values_of(weight));
  }
}

TEST(MambaMixer, a_child_that_does_not_fit_is_refused) {
  const LayerSpec conv = layer_of("column_parallel_linear", {{"in", 4L}, {"out", 4L}}, "m.conv1d");
  EXPECT_EQ(check_model(model_of({mixer("child"), conv}), 1).message(), "m: reads conv1d.weight: its shape is [4, 4], expected [4, 3]");
}

// A decays the state: what the first token fed is less at each later one.
TEST(MambaMixer, state_decays) {
  const ModelSpec spec = model_of({mixer("own")});
  const Source ones = [](const Delivery& delivery) {
    return at::ones(delivery.shape, to_torch(delivery.dtype)) * (delivery.slot == "D" ? 0.0 : 1.0);
  };
  std::unique_ptr<Model> model = cold(spec, {}, ones);
  EXPECT_FLOAT_EQ(values_of(tensor_at(*model, "m.A"))[0], -std::exp(1.0));
  const LayerPtr layer = model->find("m");
  at::Tensor pulse = at::zeros({6, 4});
  pulse.select(0, 0).fill_(1);
  const std::vector<double> out = values_of(layer->kind->forward(*layer, pulse).select(1, 0));
  EXPECT_GT(out[2], 0);
  EXPECT_GT(out[3], out[4]);
  EXPECT_GT(out[4], out[5]);
}

}  // namespace
}  // namespace reloadlab::model
