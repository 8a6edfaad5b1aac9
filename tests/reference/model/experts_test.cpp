// Fused experts: where each expert is, and that what ranks compute of it adds up.
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

#include "reference/model/architecture/forward.h"
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

constexpr int64_t kHidden = 4, kIntermediate = 8, kExperts = 6, kTopK = 2;

LayerSpec experts(Values more) {
  more.merge(Values{{"hidden", kHidden}, {"intermediate", kIntermediate}, {"experts", kExperts}, {"top_k", kTopK}});
  return layer_of("fused_experts", std::move(more), "mlp.experts");
}

Values dealt(std::string placement, int64_t redundant = 0) {
  return {{"parallel", std::string("expert")}, {"placement", std::move(placement)}, {"redundant", redundant}};
}

Source fused_small_values(const ModelSpec& spec) {
  return [source = numbered(spec)](const Delivery& delivery) { return (source(delivery) * 0.37).sin() * 0.5; };
}

at::Tensor matrix(const Source& source, const LayerSpec& layer, int64_t expert, std::string_view shard) {
  for (const Delivery& delivery : find_layer_kind(layer.kind)->deliveries(layer))
    if (delivery.expert == expert && delivery.shard == shard) return source(delivery);
  ADD_FAILURE() << expert << shard;
  return {};
}

// Token t goes to the experts from t·(k+1) on.
at::Tensor fused_unsplit(const Source& source, const LayerSpec& layer, const at::Tensor& input) {
  at::Tensor output = at::zeros({input.size(0), kHidden});
  for (int64_t token = 0; token < input.size(0); ++token)
    for (int64_t choice = 0; choice < kTopK; ++choice) {
      const int64_t expert = (token * (kTopK + 1) + choice) % kExperts;
      const at::Tensor x = input.select(0, token);
      const at::Tensor gated = at::silu(matrix(source, layer, expert, "w1").matmul(x)) * matrix(source, layer, expert, "w3").matmul(x);
      output.select(0, token).add_(matrix(source, layer, expert, "w2").matmul(gated) / kTopK);
    }
  return output;
}

std::vector<at::Tensor> partials(const ModelSpec& spec, const Group& group, const at::Tensor& input) {
  std::vector<at::Tensor> all;
  for (const Model* model : group.ranks) {
    const LayerPtr layer = model->find(spec.layers[0].name);
    all.push_back(layer->kind->forward(*layer, input));
  }
  return all;
}

TEST(FusedExperts, partials_sum_to_the_unsplit_layer) {
  for (const Values& values : {Values{}, dealt("linear"), dealt("round_robin"), dealt("linear", 2), dealt("round_robin", 2)}) {
    const ModelSpec spec = model_of({experts(values)});
    const Source source = fused_small_values(spec);
    const at::Tensor input = find_layer_kind("fused_experts")->example_input(spec.layers[0], {}, 5);
    const at::Tensor expected = fused_unsplit(source, spec.layers[0], input);
    for (int size : {1, 2, 3, 4, 8}) {
      if (!check_model(spec, size).ok()) continue;
      const Group group = cold_group(spec, size, source);
      EXPECT_TRUE(at::allclose(sum_in_rank_order(partials(spec, group, input)), expected, 0, 1e-5)) << size;
    }
  }
}

TEST(FusedExperts, are_called_as_checkpoints_call_them) {
  std::vector<std::string> names;
  const LayerSpec layer = experts({{"names", std::string("w1,w2,w3")}});
  const std::vector<Delivery> deliveries = find_layer_kind(layer.kind)->deliveries(layer);
  ASSERT_EQ(deliveries.size(), 18u);
  EXPECT_EQ(deliveries[0].name, "mlp.experts.0.w1.weight");
  EXPECT_EQ(deliveries[17].name, "mlp.experts.5.w3.weight");
  EXPECT_EQ(deliveries[1].slot, "w2_weight");
  EXPECT_EQ(find_layer_kind(layer.kind)->deliveries(experts({}))[2].name, "mlp.experts.0.up_proj.weight");
}

// 6 experts and 2 redundant ones on 4 ranks, as the kind's header draws them.
TEST(FusedExperts, tables_say_who_has_which_expert) {
  const auto tables = [](std::string placement, int rank) {
    std::unique_ptr<Model> model = cold(model_of({experts(dealt(std::move(placement), 2))}), {rank, 4});
    std::vector<std::vector<double>> all;
    for (const char* name : {"_expert_map", "expert_global_to_physical", "expert_physical_to_global", "expert_local_to_global"})
      all.push_back(values_of(tensor_at(*model, std::string("mlp.experts.") + name)));
    return all;
  };
  using All = std::vector<std::vector<double>>;
  EXPECT_EQ(tables("linear", 3),
            (All{{-1, -1, -1, -1, -1, -1, 0, 1}, {0, 6, 1, 7, 2, -1, 3, -1, 4, -1, 5, -1}, {0, 1, 2, 3, 4, 5, 0, 1}, {0, 1}}));
  EXPECT_EQ(tables("round_robin", 2),
            (All{{-1, -1, -1, -1, 0, 1, -1, -1}, {0, 5, 2, 7, 4, -1, 6, -1, 1, -1, 3, -1}, {0, 4, 1, 5, 2, 0, 3, 1}, {2, 0}}));
}

TEST(FusedExperts, a_redundant_expert_is_loaded_at_both_places) {
  const ModelSpec spec = model_of({experts(dealt("linear", 2))});
  std::unique_ptr<Model> model = cold(spec);
  for (const char* slot : {"mlp.experts.w13_weight", "mlp.experts.w2_weight"}) {
    const at::Tensor& stack = tensor_at(*model, slot);
    EXPECT_EQ(stack.size(0), 8);
    EXPECT_TRUE(stack.select(0, 1).equal(stack.select(0, 7))) << slot;
    EXPECT_FALSE(stack.select(0, 1).equal(stack.select(0, 2))) << slot;
  }
}

// Both places serve: a reload that forgets one of them is seen.
TEST(FusedExperts, odd_tokens_go_to_second_places) {
  const ModelSpec spec = model_of({experts(dealt("linear", kExperts))});
  const Group group = cold_group(spec, 1, fused_small_values(spec));
  const at::Tensor input = at::ones({2, kHidden});
  const at::Tensor before = partials(spec, group, input)[0];
  tensor_at(*group.ranks[0], "mlp.experts.w2_weight").narrow(0, kExperts, kExperts).fill_(0);
  const at::Tensor after = partials(spec, group, input)[0];
  EXPECT_TRUE(before.select(0, 0).equal(after.select(0, 0)));
  EXPECT_TRUE(after.select(0, 1).eq(0).all().item<bool>());
}

// What a checkpoint would hold for the layer without scales: weight · scale, element by element.
Source multiplied(const Source& source, bool blocks) {
  return [source, blocks](const Delivery& delivery) {
    Delivery scales = delivery;
    scales.name += blocks ? "_scale_inv" : "_scale";
    scales.shape = blocks ? Shape{(delivery.shape[0] + 127) / 128, (delivery.shape[1] + 127) / 128} : Shape{1, 1};
    scales.dtype = DType::f32;
    Delivery stored = delivery;
    stored.dtype = DType::i8;
    const at::Tensor weight = source(stored).to(at::kFloat), scale = source(scales);
    float* values = weight.data_ptr<float>();
    const float* scales_of_blocks = scale.data_ptr<float>();
    for (int64_t i = 0; i < weight.size(0); ++i)
      for (int64_t j = 0; j < weight.size(1); ++j)
        values[i * weight.size(1) + j] *= scales_of_blocks[blocks ? i / 128 * scale.size(1) + j / 128 : 0];
    return weight;
  };
}

TEST(FusedExperts, with_scales_compute_with_weight_times_scale) {
  const auto spec_with = [](const char* scales, DType dtype, const char* parallel) {
    return model_of({layer_of(
        "fused_experts",
        {{"hidden", 130L}, {"intermediate", 256L}, {"experts", 2L}, {"scales", std::string(scales)}, {"parallel", std::string(parallel)}},
        "mlp.experts", dtype)});
  };
  const Source source = [](const Delivery& delivery) {
    const double salt = static_cast<double>(delivery.name.size() + delivery.expert.value_or(0));
    const at::Tensor wave = (at::arange(numel(delivery.shape), at::kDouble) * 0.37 + salt).sin().view(delivery.shape);
    return delivery.dtype == DType::i8 ? (wave * 100).round().to(at::kChar) : (wave * 0.001 + 0.002).to(at::kFloat);
  };
  for (const auto& [parallel, scales] : {std::pair("tensor", "block"), {"expert", "block"}, {"tensor", "tensor"}, {"expert", "tensor"}}) {
    const ModelSpec scaled = spec_with(scales, DType::i8, parallel), plain = spec_with("none", DType::f32, parallel);
    const at::Tensor input = find_layer_kind("fused_experts")->example_input(plain.layers[0], {}, 5);
    for (int size : {1, 2}) {
      const Group with = cold_group(scaled, size, source);
      const Group without = cold_group(plain, size, multiplied(source, scales == std::string_view("block")));
      EXPECT_TRUE(
          at::allclose(sum_in_rank_order(partials(scaled, with, input)), sum_in_rank_order(partials(plain, without, input)), 1e-4, 1e-5))
          << parallel << scales << size;
    }
  }
}

TEST(FusedExperts, loads_of_no_expert_and_of_no_shard_are_refused) {
  const ModelSpec spec = model_of({experts({})});
  std::unique_ptr<Model> model = cold(spec);
  Delivery delivery = deliveries_of(spec).front();
  const at::Tensor loaded = at::ones(delivery.shape);
  delivery.expert = kExperts;
  EXPECT_EQ(load_one(*model, delivery, loaded).message(), "expert 6 is none of the 6");
  delivery.expert.reset();
  EXPECT_EQ(load_one(*model, delivery, loaded).message(), "expert -1 is none of the 6");
  delivery.shard = "w4";
  EXPECT_EQ(load_one(*model, delivery, loaded).message(), "shard \"w4\" is none of w1, w2, w3");
}

TEST(FusedExperts, what_cannot_be_cut_or_dealt_is_refused) {
  const auto complaint = [](const Values& values, int size = 1) { return check_model(model_of({experts(values)}), size).message(); };
  EXPECT_EQ(complaint({}, 3), "mlp.experts: 8 intermediate elements cannot be split over 3 ranks");
  EXPECT_EQ(complaint(dealt("linear"), 4), "mlp.experts: 6 places for experts cannot be split over 4 ranks");
  EXPECT_EQ(complaint(dealt("linear", 7)), "mlp.experts: 7 redundant experts of 6: no expert has three places");
  EXPECT_EQ(complaint({{"redundant", 2L}}), "mlp.experts: redundant experts need parallel: expert");
  EXPECT_EQ(complaint({{"top_k", 7L}}), "mlp.experts: top_k is 7, of 6 experts");
  EXPECT_EQ(complaint({{"experts", 65537L}}), "mlp.experts: 65537 experts, expected at most 65536");
  EXPECT_EQ(complaint({{"names", std::string("up,down")}}), "mlp.experts: 2 names, expected those of w1, w2 and w3");
  EXPECT_EQ(complaint({{"scales", std::string("block")}}), "mlp.experts: weights are f32, expected e4m3 or i8 with scales");
  EXPECT_EQ(complaint({{"scales", std::string("tensor")}}), "mlp.experts: weights are f32, expected e4m3 or i8 with scales");
  EXPECT_EQ(complaint({{"scales", std::string("tensor")}, {"packed", true}}),
            "mlp.experts: packed weights have scales of groups, and no others");
  LayerSpec scaled = experts({{"scales", std::string("block")}, {"intermediate", 256L}});
  scaled.dtype = DType::e4m3;
  EXPECT_TRUE(check_model(model_of({scaled}), 2).ok());
  EXPECT_EQ(check_model(model_of({scaled}), 4).message(),
            "mlp.experts: 256 intermediate elements over 4 ranks do not meet at blocks of 128");
  EXPECT_EQ(complaint({{"loader", std::string("none")}}),
            "mlp.experts: the default loader (loader: none) can neither cut shards nor leave padding");
}

}  // namespace
}  // namespace reloadlab::model
