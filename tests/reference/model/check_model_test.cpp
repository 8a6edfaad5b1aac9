// What check_model() refuses, each with the message that it must give.
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

struct BadModel {
  std::string name;
  ModelSpec spec;
  int ranks;
  std::string message;
};
void PrintTo(const BadModel& bad, std::ostream* out) { *out << bad.name; }

LayerSpec linear(std::string name = "x") { return layer_of("column_parallel_linear", {{"in", 4L}, {"out", 6L}}, std::move(name)); }

template <class Change>
ModelSpec changed(std::vector<LayerSpec> layers, Change&& change) {
  ModelSpec spec = model_of(std::move(layers));
  change(spec);
  return spec;
}

LayerSpec with_quant(LayerSpec spec) {
  spec.quant = "tile_permute";
  return spec;
}

LayerSpec view(std::string of, int64_t size, std::string name = "v") {
  return layer_of("buffers", {{"view_of", std::move(of)}, {"view_shape", Integers{size}}}, std::move(name));
}

std::vector<BadModel> bad_models() {
  const auto text = [](const char* word) { return std::string(word); };
  std::vector<BadModel> all;
  const auto add = [&](std::string name, ModelSpec spec, std::string message, int ranks = 1) {
    all.push_back({std::move(name), std::move(spec), ranks, std::move(message)});
  };
  const auto one = [&](std::string kind, Values values) { return model_of({layer_of(std::move(kind), std::move(values))}); };
  add("kind", changed({linear()}, [](ModelSpec& s) { s.layers[0].kind = "column_paralel_linear"; }),
      "x: there is no layer kind \"column_paralel_linear\"; did you mean \"column_parallel_linear\"?");
  add("missing_key", changed({linear()}, [](ModelSpec& s) { s.layers[0].values.erase("in"); }),
      "x: column_parallel_linear needs the key in");
  add("quant", changed({linear()}, [](ModelSpec& s) { s.layers[0].quant = "tile_permut"; }),
      "x: there is no quantization \"tile_permut\"; did you mean \"tile_permute\"?");
  add("two_layers", model_of({linear(), linear()}), "two layers are called x");
  add("layer_name", model_of({linear("a..b")}), "\"a..b\" is no layer name: expected words with dots between them");
  add("delivery_name", model_of({layer_of("qkv_parallel_linear", {{"hidden", 4L}, {"heads", 2L}}, "a.qkv"), linear("a.q_proj")}),
      "a.q_proj: another layer's checkpoint tensor is called a.q_proj.weight too");
  add("choice", one("column_parallel_linear", {{"in", 4L}, {"out", 4L}, {"loader", text("unbound")}}),
      "x: loader is \"unbound\", expected one of bound|free|none");
  add("ranks", model_of({linear()}), "x: 6 outputs (padded) cannot be split over 4 ranks", 4);
  add("heads", one("qkv_parallel_linear", {{"hidden", 12L}, {"heads", 6L}}), "x: 6 heads cannot be split over 4 ranks", 4);
  add("head_dim", one("qkv_parallel_linear", {{"hidden", 10L}, {"heads", 4L}}), "x: hidden 10 is no multiple of 4 heads: give head_dim");
  add("kv_heads", one("qkv_parallel_linear", {{"hidden", 12L}, {"heads", 6L}, {"kv_heads", 4L}}), "x: 6 heads cannot share 4 kv heads");
  add("kv_ranks", one("qkv_parallel_linear", {{"hidden", 12L}, {"heads", 12L}, {"kv_heads", 6L}}),
      "x: 6 kv heads can neither be split over nor replicated on 4 ranks", 4);
  add("default_loader", one("column_parallel_linear", {{"in", 4L}, {"out", 4L}, {"loader", text("none")}}),
      "x: the default loader (loader: none) can neither cut shards nor leave padding", 2);
  add("part_names", one("merged_column_parallel_linear", {{"in", 4L}, {"outs", Integers{2, 2}}, {"names", text("a")}}),
      "x: 1 names for 2 parts");
  add("part_shards", one("merged_column_parallel_linear", {{"in", 4L}, {"outs", Integers{2, 2}}, {"shards", text("q")}}),
      "x: 1 shards for 2 parts");
  add("part_shard_twice", one("merged_column_parallel_linear", {{"in", 4L}, {"outs", Integers{2, 2, 2}}, {"shards", text("q,k,q")}}),
      "x: two parts are shard q");
  add("no_parts", one("merged_column_parallel_linear", {{"in", 4L}, {"outs", Integers{}}}), "x: outs needs at least one part");
  add("shape_deliveries", one("scalars", {{"rows", 4L}, {"columns", 2L}, {"shape_deliveries", 2L}}),
      "x: shape_deliveries is 2, expected 0, 1 or 3");
  add("composed_dtype", model_of({layer_of("composed", {{"size", 4L}}, "x", DType::i8)}), "x: the transform needs f64, f32, f16 or bf16");
  add("view_shape", one("buffers", {{"view_of", text("weight")}}), "x: view_of and view_shape go together");
  add("strides", one("buffers", {{"shape", Integers{4}}, {"strides", Integers{8, 1}}}), "x: strides and shape differ in length");
  add("tie_layer", changed({linear("a"), linear("b")}, [](ModelSpec& s) { s.layers[1].tied_to = "aa.weight"; }),
      "b: tied_to aa.weight: there is no layer \"aa\"; did you mean \"a\"?");
  add("tie_slot", changed({linear("a"), linear("b")}, [](ModelSpec& s) { s.layers[1].tied_to = "a.wieght"; }),
      "b: tied_to a.wieght: layer \"a\" has no tensor \"wieght\"; did you mean \"weight\"?");
  add("tie_shape", changed({linear("a"), layer_of("norm", {{"hidden", 4L}}, "b")}, [](ModelSpec& s) { s.layers[1].tied_to = "a.weight"; }),
      "b: tied_to a.weight: shapes or dtypes differ");
  add("tie_chain",
      changed({linear("a"), linear("b"), linear("c")},
              [](ModelSpec& s) { s.layers[1].tied_to = "a.weight", s.layers[2].tied_to = "b.weight"; }),
      "c: tied_to b.weight: that one is tied or a view itself");
  add("tie_quant", changed({with_quant(linear("a")), linear("b")}, [](ModelSpec& s) { s.layers[1].tied_to = "a.weight"; }),
      "b: tied_to a.weight: layer \"a\" has quantization tile_permute, which replaces its tensors");
  add("tied_quant", changed({linear("a"), with_quant(linear("b"))}, [](ModelSpec& s) { s.layers[1].tied_to = "a.weight"; }),
      "b: quantization tile_permute cannot replace tensors that are tied or views");
  add("tie_quants",
      changed({linear("a"), linear("b")}, [](ModelSpec& s) { s.layers[0].quant = "fp8_block", s.layers[1].tied_to = "a.weight"; }),
      "b: tied_to a.weight: layer \"a\" has quantization fp8_block and this one none: a tie needs the same on both");
  add("view_end", model_of({linear("a"), view("a.weight", 25)}), "v.view: view of a.weight: it reaches beyond the end");
  add("view_of_nothing", model_of({view("absent.weight", 2)}), "v.view: view of absent.weight: there is no layer \"absent\"");
  add("view_of_strided",
      model_of({layer_of("buffers", {{"shape", Integers{4, 4}}, {"strides", Integers{8, 1}}}, "a"), view("a.weight", 2)}),
      "v.view: view of a.weight: that one is a view or has strides of its own");
  add("view_of_view", model_of({linear("a"), view("a.weight", 24, "u"), view("u.view", 2)}),
      "v.view: view of u.view: that one is a view or has strides of its own");
  add("quant_without_weight", model_of({with_quant(layer_of("composed", {{"size", 4L}}))}),
      "x: quantization tile_permute needs a tensor called weight");
  return all;
}

class CheckModel : public ::testing::TestWithParam<BadModel> {};

TEST_P(CheckModel, says_what_is_wrong) {
  const Status status = check_model(GetParam().spec, GetParam().ranks);
  EXPECT_EQ(status.code(), Code::data);
  EXPECT_EQ(status.message(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(bad, CheckModel, ::testing::ValuesIn(bad_models()), [](const auto& made) { return made.param.name; });

TEST(CheckModelGood, accepts_what_is_right) {
  ModelSpec spec = model_of({linear("a"), linear("b"), view("a.weight", 24)});
  spec.layers[1].tied_to = "a.weight";
  EXPECT_TRUE(check_model(spec, 1).ok());
  EXPECT_TRUE(check_model(model_of({}), 3).ok());
}

}  // namespace
}  // namespace reloadlab::model
