#include "reference/model/architecture/forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

#include <map>
#include <set>

#include "reference/base/prng.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

// Small values, so that sums stay near one.
Source forward_small_values(const ModelSpec& spec) {
  const Source source = numbered(spec);
  return
      [source](const Delivery& delivery) { return ((source(delivery).to(at::kDouble) * 0.37).sin() * 0.2).to(to_torch(delivery.dtype)); };
}

at::Tensor whole(const ModelSpec& spec, const Source& source, std::string_view name) {
  for (const Delivery& delivery : deliveries_of(spec))
    if (delivery.name == name) return source(delivery);
  ADD_FAILURE() << name;
  return {};
}

TEST(Forward, row_parallel_partials_sum_to_the_unsplit_layer) {
  const ModelSpec spec = model_of({layer_of("row_parallel_linear", {{"in", 24L}, {"out", 5L}, {"bias", true}})});
  const Source source = forward_small_values(spec);
  const at::Tensor input = find_layer_kind("row_parallel_linear")->example_input(spec.layers[0], {}, 7 ^ hash_name("x"));
  const at::Tensor expected = at::linear(input, whole(spec, source, "x.weight"), whole(spec, source, "x.bias"));
  for (int size : {1, 2, 3, 4, 8}) {
    Group group = cold_group(spec, size, source);
    const std::vector<ForwardOutput> outputs = run_forward(group.ranks, 7);
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_EQ(outputs[0].name, "x");
    for (const at::Tensor& output : outputs[0].ranks) EXPECT_TRUE(at::allclose(output, expected, 0, 1e-6)) << size;
  }
}

// Scales of the weight, of its rows, of blocks, as the weight has elements.
at::Tensor spread(const at::Tensor& scale, const at::Tensor& weight) {
  if (scale.dim() < 2 || scale.size(1) == 1) return scale;
  const at::Tensor all = scale.repeat_interleave(128, 0).repeat_interleave(128, 1);
  return all.narrow(0, 0, weight.size(0)).narrow(1, 0, weight.size(1));
}

TEST(Forward, row_parallel_partials_of_scaled_weights_sum_to_the_unsplit_layer) {
  const std::map<std::string, std::string> steps = {
      {"tensor", "loaded_fp8_per_tensor"}, {"block", "loaded_fp8_block"}, {"channel", "none"}};
  for (const auto& [scales, step] : steps) {
    SCOPED_TRACE(scales);
    ModelSpec spec =
        model_of({layer_of("scaled_row_parallel_linear", {{"in", 1024L}, {"out", 130L}, {"scales", scales}}, "x", DType::e4m3)});
    const Source source = [wide = numbered(spec)](const Delivery& delivery) {  // e4m3 has no large numbers
      Delivery single = delivery;
      single.dtype = DType::f32;
      return (wide(single) * 0.37).sin().to(to_torch(delivery.dtype));
    };
    const LayerKind& kind = *find_layer_kind("scaled_row_parallel_linear");
    const at::Tensor input = kind.example_input(spec.layers[0], {}, 7 ^ hash_name("x"));
    const at::Tensor weight = whole(spec, source, "x.weight").to(at::kFloat);
    const at::Tensor scale = whole(spec, source, scales == "block" ? "x.weight_scale_inv" : "x.weight_scale");
    const at::Tensor expected = at::linear(input, weight * spread(scale, weight));
    for (const std::string& quant : {std::string("none"), step}) {
      spec.layers[0].quant = quant;
      for (int size : {1, 2, 8}) {
        Group group = cold_group(spec, size, source);
        for (Model* model : group.ranks) ASSERT_TRUE(process_model_after_loading(*model).ok());
        const std::vector<ForwardOutput> outputs = run_forward(group.ranks, 7);
        for (const at::Tensor& output : outputs.at(0).ranks)
          EXPECT_TRUE(at::allclose(output, expected, 0, 1e-3)) << quant << " over " << size;
      }
    }
  }
}

// Without ranks there is nothing that a row-parallel layer does otherwise than a column-parallel one.
TEST(Forward, row_parallel_partials_of_packed_weights_sum_to_the_unsplit_layer) {
  for (const int64_t group : {0L, 16L})
    for (const bool zero_points : {false, true}) {
      const Values same{{"in", 128L}, {"group", group}, {"zero_points", zero_points}};
      Values rows = same, parts = same;
      rows["out"] = 64L;
      parts["outs"] = std::vector<int64_t>{64};
      ModelSpec spec = model_of({layer_of("packed_row_parallel_linear", rows)}),
                column = model_of({layer_of("packed_column_parallel_linear", parts)});
      const Source source = forward_small_values(spec);
      Group one = cold_group(column, 1, [&](const Delivery& delivery) {
        Delivery renamed = delivery;
        renamed.name = "x." + delivery.slot;
        return source(renamed);
      });
      const LayerKind& kind = *find_layer_kind("packed_row_parallel_linear");
      const at::Tensor input = kind.example_input(spec.layers[0], {}, 7 ^ hash_name("x"));
      const at::Tensor expected = find_layer_kind("packed_column_parallel_linear")->forward(*one.ranks[0]->find("x"), input);
      for (const char* quant : {"none", "wna16"}) {
        spec.layers[0].quant = quant;
        for (int size : {1, 2, 8}) {
          Group ranks = cold_group(spec, size, source);
          for (Model* model : ranks.ranks) ASSERT_TRUE(process_model_after_loading(*model).ok());
          const std::vector<ForwardOutput> outputs = run_forward(ranks.ranks, 7);
          for (const at::Tensor& output : outputs.at(0).ranks)
            EXPECT_TRUE(at::allclose(output, expected, 1e-5, 1e-4)) << quant << " over " << size << ", groups of " << group;
        }
      }
    }
}

TEST(Forward, vocab_parallel_partials_sum_to_the_rows_of_the_tokens) {
  const ModelSpec spec = model_of({layer_of("vocab_parallel_embedding", {{"vocab", 50L}, {"hidden", 3L}, {"pad_value", 9.0}})});
  const Source source = numbered(spec);
  const at::Tensor weight = whole(spec, source, "x.weight");
  const LayerKind& kind = *find_layer_kind("vocab_parallel_embedding");
  const at::Tensor tokens = kind.example_input(spec.layers[0], {}, 3);
  for (int size : {1, 2, 3, 4, 8}) {
    Group group = cold_group(spec, size, source);
    std::vector<at::Tensor> partials;
    for (Model* model : group.ranks) partials.push_back(kind.forward(*model->find("x"), tokens));
    EXPECT_EQ(values_of(sum_in_rank_order(partials)), values_of(weight.index_select(0, tokens))) << size;
  }
}

// What ranks of a column-parallel layer compute is the unsplit output, cut: with padding, and through a permuting post-load step.
TEST(Forward, column_parallel_outputs_are_rows_of_the_unsplit_layer) {
  ModelSpec spec = model_of({layer_of("column_parallel_linear", {{"in", 5L}, {"out", 21L}, {"pad_rows_to", 24L}, {"pad_cols_to", 8L}})});
  spec.layers[0].quant = "tile_permute";
  const Source source = forward_small_values(spec);
  const LayerKind& kind = *find_layer_kind("column_parallel_linear");
  const at::Tensor input = kind.example_input(spec.layers[0], {}, 3);
  const at::Tensor expected = at::linear(input, whole(spec, source, "x.weight"));
  for (int size : {1, 2, 3, 4, 8}) {
    std::vector<at::Tensor> parts;
    Group group = cold_group(spec, size, source);
    for (Model* model : group.ranks) {
      ASSERT_TRUE(process_model_after_loading(*model).ok());
      parts.push_back(kind.forward(*model->find("x"), input));
    }
    const at::Tensor all = at::cat(parts, 1);
    EXPECT_EQ(all.size(1), 24);
    EXPECT_TRUE(at::allclose(all.narrow(1, 0, 21), expected, 0, 1e-6)) << size;
    EXPECT_TRUE(at::allclose(all.narrow(1, 21, 3), at::zeros({3, 3}))) << size;
  }
}

TEST(Forward, a_captured_kernel_reads_the_tensors_of_its_first_forward) {
  ModelSpec spec = model_of({layer_of("replicated_linear", {{"in", 4L}, {"out", 3L}, {"captured", true}})});
  spec.layers[0].quant = "fp8_per_channel";
  const Source source = forward_small_values(spec);
  Group group = cold_group(spec, 1, source);
  Model& model = *group.ranks[0];
  ASSERT_TRUE(process_model_after_loading(model).ok());
  Layer& layer = *model.find("x");
  const LayerKind& kind = *find_layer_kind("replicated_linear");
  const at::Tensor input = kind.example_input(spec.layers[0], {}, 3);
  const at::Tensor first = kind.forward(layer, input);
  const ParameterPtr scale = layer.tensor("weight_scale");
  EXPECT_TRUE(layer.extra.tensors.at("kernel:weight_scale").is_alias_of(scale->tensor));
  layer.assign("weight_scale", std::make_shared<Parameter>(Parameter{.tensor = scale->tensor * 2}));
  EXPECT_TRUE(kind.forward(layer, input).equal(first)) << "a tensor in another place is not what the kernel reads";
  scale->tensor.mul_(2);
  EXPECT_TRUE(at::allclose(kind.forward(layer, input), first * 2)) << "what is written in place is";
}

// One layer of every kind.
ModelSpec one_of_each() {
  return model_of({
      layer_of("scaled_column_parallel_linear", {{"in", 4L}, {"outs", Integers{2, 4}}}, "u",
               DType::e4m3),  // first: e4m3 has no large numbers
      layer_of("scaled_row_parallel_linear", {{"in", 4L}, {"out", 4L}}, "w", DType::e4m3),
      layer_of("scaled_replicated_linear", {{"in", 4L}, {"out", 4L}}, "x", DType::e4m3),
      layer_of("vocab_parallel_embedding", {{"vocab", 16L}, {"hidden", 2L}}, "a"),
      layer_of("column_parallel_linear", {{"in", 4L}, {"out", 4L}, {"bias", true}}, "b"),
      layer_of("row_parallel_linear", {{"in", 4L}, {"out", 4L}, {"bias", true}}, "c"),
      layer_of("merged_column_parallel_linear", {{"in", 4L}, {"outs", Integers{2, 4}}, {"bias", true}}, "d"),
      layer_of("qkv_parallel_linear", {{"hidden", 4L}, {"heads", 2L}, {"bias", true}}, "e.qkv"),
      layer_of("parallel_lm_head", {{"vocab", 100L}, {"hidden", 2L}}, "f"),
      layer_of("norm", {{"hidden", 4L}, {"bias", true}}, "g"),
      layer_of("embedding", {{"rows", 4L}, {"hidden", 2L}}, "h"),
      layer_of("buffers", {{"shape", Integers{4}}, {"buffer", Integers{2}}, {"bias", std::string("empty")}}, "i"),
      layer_of("composed", {{"size", 4L}}, "j"),
      layer_of("scalars", {{"rows", 4L}, {"columns", 4L}}, "k"),
      layer_of("attention", {{"heads", 4L}, {"sinks", true}}, "l"),
      layer_of("hadamard", {{"size", 4L}, {"delivered", true}}, "m"),
      layer_of("custom_loader", {{"rows", 4L}, {"columns", 4L}}, "n"),
      layer_of("fused_experts", {{"hidden", 4L}, {"intermediate", 4L}, {"experts", 4L}, {"parallel", std::string("expert")}}, "o.experts"),
      layer_of("mla_attention", {{"heads", 2L}, {"qk_nope_head_dim", 2L}, {"v_head_dim", 3L}, {"kv_lora_rank", 4L}}, "p"),
      layer_of("rotary_embedding", {{"rotary_dim", 4L}, {"max_position", 8L}}, "q"),
      layer_of("mamba_mixer", {{"channels", 4L}, {"state", 2L}}, "r"),
      layer_of("lora_adapter", {{"in", 4L}, {"out", 4L}, {"rank", 2L}, {"delivered", 1L}}, "s"),
      layer_of("column_parallel_linear", {{"in", 4L}, {"out", 4L}}, "s.base_layer"),
      layer_of("packed_column_parallel_linear", {{"in", 8L}, {"outs", Integers{16, 16}}, {"group", 4L}, {"zero_points", false}}, "t"),
      layer_of("replicated_linear", {{"in", 4L}, {"out", 4L}, {"correction_bias", true}}, "v"),
      layer_of("packed_row_parallel_linear", {{"in", 16L}, {"out", 16L}, {"group", 4L}, {"zero_points", false}}, "y"),
  });
}

TEST(Forward, every_kind_has_one_that_depends_on_what_was_loaded) {
  const ModelSpec spec = one_of_each();
  const Source source = forward_small_values(spec);
  const Source other = [&](const Delivery& delivery) { return source(delivery).to(at::kFloat) * 1.5 + 0.25; };
  for (int size : {1, 2}) {
    Group a = cold_group(spec, size, source), again = cold_group(spec, size, source), b = cold_group(spec, size, other);
    for (const Group* group : {&a, &again, &b})
      for (Model* model : group->ranks) ASSERT_TRUE(process_model_after_loading(*model).ok());
    const auto first = run_forward(a.ranks, 5), second = run_forward(again.ranks, 5), third = run_forward(b.ranks, 5);
    ASSERT_EQ(first.size(), spec.layers.size());
    for (size_t i = 0; i < first.size(); ++i) {
      for (int rank = 0; rank < size; ++rank) {
        EXPECT_TRUE(first[i].ranks[rank].equal(second[i].ranks[rank])) << first[i].name;
        const bool constant = deliveries_of(model_of({spec.layers[i]})).empty();  // a table that the constructor made
        EXPECT_EQ(first[i].ranks[rank].equal(third[i].ranks[rank]), constant) << first[i].name;
      }
    }
    EXPECT_TRUE(joined(first, size - 1).equal(joined(second, size - 1)));
  }
}

TEST(Forward, covers_every_kind_above) {
  std::set<std::string_view> covered;
  const ModelSpec spec = one_of_each();
  for (const LayerSpec& layer : spec.layers) covered.insert(layer.kind);
  EXPECT_EQ(layer_kinds().size(), covered.size());
}

// What a reload may leave behind: the process that judges it must outlive the attempt to use the model.
TEST(Forward, of_a_layer_without_its_tensors_is_an_error) {
  const std::vector<LayerSpec> layers = one_of_each().layers;
  for (const LayerSpec& layer : layers) {
    if (layer.kind == "buffers") continue;  // computes with whatever it holds
    std::vector<LayerSpec> with_children;
    for (const LayerSpec& each : layers)
      if (each.name == layer.name || each.name.starts_with(layer.name + ".")) with_children.push_back(each);
    std::unique_ptr<Model> model = cold(model_of(with_children));
    Layer& broken = *model->layers().front();
    broken.parameters = {};
    broken.buffers = {};
    Model* rank = model.get();
    const Status status = guarded([&] { return run_forward({&rank, 1}, 5), Status(); });
    EXPECT_NE(status.message().find("has no tensor"), std::string::npos) << layer.kind << ": " << status.message();
  }
}

// So that ranks which fail alike are left alike.
TEST(Forward, of_a_layer_that_fails_is_run_on_every_rank) {
  const ModelSpec spec = model_of({layer_of("buffers", {{"shape", Shape{2}}, {"late", true}})});
  Group group = cold_group(spec, 2, numbered(spec));
  for (Model* rank : group.ranks) rank->layers().front()->tensor("weight")->tensor = at::Tensor();
  const Status status = guarded([&] { return run_forward(group.ranks, 1), Status(); });
  EXPECT_FALSE(status.ok());
  for (Model* rank : group.ranks) EXPECT_TRUE(rank->layers().front()->tensor("late"));
}

TEST(Forward, a_reducer_of_the_world_is_used) {
  const ModelSpec spec = model_of({layer_of("row_parallel_linear", {{"in", 4L}, {"out", 2L}})});
  Group group = cold_group(spec, 2, numbered(spec));
  size_t seen = 0;
  const auto outputs = run_forward(group.ranks, 1, [&](std::vector<at::Tensor> partials) {
    seen = partials.size();
    return at::zeros({1});
  });
  EXPECT_EQ(seen, 2u);
  EXPECT_EQ(outputs[0].ranks[1].numel(), 1);
}

}  // namespace
}  // namespace reloadlab::model
