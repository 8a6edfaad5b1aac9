// Adapters over a base layer: names, room for adapters, and what they add.
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>

#include "reference/model/architecture/forward.h"
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

std::vector<LayerSpec> adapted(const std::string& split, int64_t delivered = 2) {
  return {layer_of("lora_adapter", {{"in", 8L}, {"out", 4L}, {"rank", 2L}, {"slots", 3L}, {"delivered", delivered}, {"split", split}},
                   "blocks.0.o"),
          layer_of(split + "_parallel_linear", {{"in", 8L}, {"out", 4L}, {"bias", true}}, "blocks.0.o.base_layer")};
}

std::vector<std::string> names_of(const std::vector<LayerSpec>& layers) {
  std::vector<std::string> names;
  for (const Delivery& delivery : deliveries_of(model_of(layers))) names.push_back(delivery.name);
  return names;
}

TEST(LoraAdapter, checkpoints_call_the_base_layer_as_if_it_were_not_wrapped) {
  EXPECT_EQ(names_of(adapted("row", 1)),
            (std::vector<std::string>{"blocks.0.o.lora_A.0.weight", "blocks.0.o.lora_B.0.weight", "blocks.0.o.weight", "blocks.0.o.bias"}));
  EXPECT_EQ(names_of({layer_of("qkv_parallel_linear", {{"hidden", 4L}, {"heads", 2L}}, "blocks.0.qkv.base_layer")}),
            (std::vector<std::string>{"blocks.0.q_proj.weight", "blocks.0.k_proj.weight", "blocks.0.v_proj.weight"}));
}

TEST(LoraAdapter, each_adapter_has_its_slot_and_the_others_are_zero) {
  const ModelSpec spec = model_of(adapted("column"));
  std::unique_ptr<Model> model = cold(spec, {1, 2});
  const at::Tensor& b = tensor_at(*model, "blocks.0.o.lora_b");
  EXPECT_EQ(b.sizes().vec(), (Shape{3, 2, 2}));
  const Source source = numbered(spec);
  EXPECT_EQ(values_of(b.select(0, 1)), values_of(source(deliveries_of(spec)[3]).narrow(0, 2, 2)));
  EXPECT_TRUE(b.select(0, 2).eq(0).all().item<bool>());
  EXPECT_EQ(std::get<double>(model->find_tensor("blocks.0.o.lora_b")->attributes.at("pad_value")), 0);
}

TEST(LoraAdapter, stacks_are_registered_as_the_key_says) {
  for (const bool buffers : {false, true}) {
    std::vector<LayerSpec> layers = adapted("row");
    layers[0].values["stacks"] = std::string(buffers ? "buffers" : "parameters");
    std::unique_ptr<Model> model = cold(model_of(layers));
    EXPECT_EQ(model->find("blocks.0.o")->buffers.size(), buffers ? 2u : 0u);
    EXPECT_EQ(model->find("blocks.0.o")->parameters.size(), buffers ? 0u : 2u);
  }
}

Source small_values(const ModelSpec& spec) {
  return [source = numbered(spec)](const Delivery& delivery) { return (source(delivery) * 0.37).sin() * 0.5; };
}

// Token t has adapter t mod 3, and the third one is zero.
at::Tensor unsplit(const ModelSpec& spec, const at::Tensor& input) {
  const Source source = small_values(spec);
  const std::vector<Delivery> all = deliveries_of(spec);
  at::Tensor output = input.matmul(source(all[4]).t()) + source(all[5]);
  for (int64_t token = 0; token < input.size(0); ++token) {
    const auto slot = static_cast<size_t>(token % 3);
    if (slot < 2) output.select(0, token).add_(source(all[2 * slot + 1]).matmul(source(all[2 * slot]).matmul(input.select(0, token))));
  }
  return output;
}

TEST(LoraAdapter, adds_to_what_its_base_layer_computes_at_every_rank_count) {
  for (const char* split : {"column", "row"}) {
    const ModelSpec spec = model_of(adapted(split));
    const LayerKind& kind = *find_layer_kind("lora_adapter");
    const at::Tensor expected = unsplit(spec, kind.example_input(spec.layers[0], {}, 9));
    for (int size : {1, 2, 4}) {
      Group group = cold_group(spec, size, small_values(spec));
      std::vector<at::Tensor> parts;
      for (Model* model : group.ranks)
        parts.push_back(kind.forward(*model->find("blocks.0.o"), kind.example_input(spec.layers[0], model->tp, 9)));
      const at::Tensor whole = kind.is_partial(spec.layers[0]) ? sum_in_rank_order(parts) : at::cat(parts, 1);
      EXPECT_TRUE(at::allclose(whole, expected, 0, 1e-5)) << split << size;
    }
  }
}

TEST(LoraAdapter, without_a_fitting_base_layer_is_refused) {
  const auto complaint = [](std::vector<LayerSpec> layers, int size = 1) {
    return check_model(model_of(std::move(layers)), size).message();
  };
  std::vector<LayerSpec> layers = adapted("row");
  EXPECT_NE(complaint({layers[0]}).find("blocks.0.o: reads base_layer.weight: there is no layer \"base_layer\""), std::string::npos);
  layers[1].values["out"] = int64_t{5};
  EXPECT_EQ(complaint(layers), "blocks.0.o: reads base_layer.weight: its shape is [5, 8], expected [4, 8]");
  EXPECT_EQ(complaint(adapted("row", 4)), "blocks.0.o: 4 adapters are delivered, 3 have room");
  EXPECT_EQ(complaint(adapted("column"), 3), "blocks.0.o: 4 outputs cannot be split over 3 ranks");
  layers = adapted("row");
  layers[1].quant = "tile_permute";
  EXPECT_EQ(complaint(layers), "");
}

TEST(LoraAdapter, a_load_into_no_slot_is_refused) {
  const ModelSpec spec = model_of(adapted("row"));
  std::unique_ptr<Model> model = cold(spec);
  Delivery delivery = deliveries_of(spec).front();
  delivery.part = "2";
  EXPECT_EQ(load_one(*model, delivery, small_values(spec)(deliveries_of(spec).front())).message(), "part \"2\" is none of the 2 adapters");
}

}  // namespace
}  // namespace reloadlab::model
