// The cold load of every layer kind against closed-form shard arithmetic: a checkpoint numbers its elements, the loaders put them
// where they put them, and every element of every slot must be the one that placements() says, or the declared value.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include <array>
#include <cmath>
#include <map>
#include <set>

#include "reference/model/device.h"
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

struct ColdCase {
  std::string name;
  LayerSpec spec;
  std::vector<LayerSpec> others = {};  // children that it needs
};

std::vector<ColdCase> cases() {
  const auto text = [](const char* word) { return std::string(word); };
  std::vector<ColdCase> all;
  const auto add = [&](std::string name, std::string kind, Values values) {
    all.push_back({std::move(name), layer_of(std::move(kind), std::move(values))});
  };
  add("vocab", "vocab_parallel_embedding", {{"vocab", 1000L}, {"hidden", 3L}});
  add("vocab_rank_of_padding_only", "vocab_parallel_embedding", {{"vocab", 5L}, {"hidden", 2L}, {"pad_value", -1.5}});
  add("vocab_unpadded", "vocab_parallel_embedding", {{"vocab", 48L}, {"hidden", 2L}, {"pad_to", 1L}});
  add("vocab_loader_pads", "vocab_parallel_embedding", {{"vocab", 70L}, {"hidden", 2L}, {"loader_pads", true}, {"pad_value", 7.0}});
  add("vocab_free_loader", "vocab_parallel_embedding", {{"vocab", 70L}, {"hidden", 2L}, {"loader", text("free")}});
  add("head", "parallel_lm_head", {{"vocab", 100L}, {"hidden", 3L}, {"pad_to", 8L}});
  add("column", "column_parallel_linear", {{"in", 5L}, {"out", 24L}, {"bias", true}});
  add("column_padded", "column_parallel_linear",
      {{"in", 5L}, {"out", 21L}, {"bias", true}, {"pad_rows_to", 24L}, {"pad_cols_to", 4L}, {"pad_value", 0.5}});
  add("column_free_loader", "column_parallel_linear", {{"in", 5L}, {"out", 24L}, {"bias", true}, {"loader", text("free")}});
  add("column_no_loader", "column_parallel_linear", {{"in", 5L}, {"out", 24L}, {"bias", true}, {"loader", text("none")}});
  add("row", "row_parallel_linear", {{"in", 24L}, {"out", 5L}, {"bias", true}});
  add("row_padded", "row_parallel_linear",
      {{"in", 13L}, {"out", 5L}, {"bias", true}, {"pad_rows_to", 4L}, {"pad_cols_to", 24L}, {"pad_value", -2.0}});
  add("replicated", "replicated_linear", {{"in", 5L}, {"out", 3L}, {"bias", true}, {"correction_bias", true}});
  add("replicated_no_loader", "replicated_linear", {{"in", 5L}, {"out", 3L}, {"loader", text("none")}});
  add("merged", "merged_column_parallel_linear", {{"in", 4L}, {"outs", Integers{24, 48, 24}}, {"bias", true}});
  add("merged_named", "merged_column_parallel_linear",
      {{"in", 4L}, {"outs", Integers{24, 24}}, {"names", text("gate_proj,up_proj")}, {"loader", text("free")}});
  add("qkv", "qkv_parallel_linear", {{"hidden", 48L}, {"heads", 24L}, {"bias", true}});
  add("qkv_grouped", "qkv_parallel_linear", {{"hidden", 10L}, {"heads", 8L}, {"kv_heads", 2L}, {"head_dim", 3L}, {"bias", true}});
  add("qkv_one_kv_head", "qkv_parallel_linear", {{"hidden", 12L}, {"heads", 24L}, {"kv_heads", 1L}, {"head_dim", 2L}});
  add("packed", "packed_column_parallel_linear", {{"in", 16L}, {"outs", Integers{384, 192, 192}}, {"group", 8L}, {"names", text("q,k,v")}});
  add("packed_symmetric", "packed_column_parallel_linear", {{"in", 16L}, {"outs", Integers{24}}, {"group", 0L}, {"zero_points", false}});
  for (const char* scales : {"tensor", "channel", "block"}) {
    add(std::string("scaled_") + scales, "scaled_column_parallel_linear",
        {{"in", 5L}, {"outs", scales[0] == 'b' ? Integers{1024, 2048} : Integers{24, 48}}, {"scales", text(scales)}});
    all.back().spec.dtype = DType::i8;
  }
  add("scaled_qkv", "scaled_column_parallel_linear",
      {{"in", 5L}, {"outs", Integers{48, 24, 24}}, {"names", text("q_proj,k_proj,v_proj")}, {"shards", text("q,k,v")}});
  all.back().spec.dtype = DType::i8;
  add("scaled_alone", "scaled_column_parallel_linear", {{"in", 5L}, {"outs", Integers{48}}, {"names", text("x")}});
  all.back().spec.dtype = DType::i8;
  for (const char* scales : {"tensor", "channel", "block"}) {
    add(std::string("scaled_replicated_") + scales, "scaled_replicated_linear", {{"in", 130L}, {"out", 129L}, {"scales", text(scales)}});
    all.back().spec.dtype = DType::i8;
  }
  add("packed_row", "packed_row_parallel_linear", {{"in", 192L}, {"out", 16L}, {"group", 8L}});
  add("packed_row_one_scale", "packed_row_parallel_linear",
      {{"in", 192L}, {"out", 5L}, {"group", 0L}, {"zero_points", false}, {"loader", text("free")}});
  add("packed_row_no_loader", "packed_row_parallel_linear", {{"in", 16L}, {"out", 8L}, {"group", 16L}, {"loader", text("none")}});
  for (const char* scales : {"tensor", "channel", "block"}) {
    add(std::string("scaled_row_") + scales, "scaled_row_parallel_linear",
        {{"in", scales[0] == 'b' ? 3072L : 24L}, {"out", scales[0] == 'b' ? 130L : 5L}, {"scales", text(scales)}});
    all.back().spec.dtype = DType::i8;
  }
  add("norm", "norm", {{"hidden", 7L}, {"bias", true}});
  add("norm_rms", "norm", {{"hidden", 7L}, {"rms", true}});
  add("embedding", "embedding", {{"rows", 6L}, {"hidden", 3L}});
  add("composed", "composed", {{"size", 24L}, {"transform", text("negate")}});
  add("composed_a_last", "composed", {{"size", 24L}, {"transform", text("negate")}, {"order", text("a_last")}, {"loader", text("free")}});
  add("scalars", "scalars",
      {{"rows", 24L}, {"columns", 3L}, {"scales", 2L}, {"scale_dims", 0L}, {"shape_deliveries", 3L}, {"trailing", 4L}});
  add("scalars_one", "scalars", {{"rows", 24L}, {"columns", 3L}, {"shape_deliveries", 1L}});
  add("attention", "attention", {{"heads", 24L}, {"sinks", true}});
  add("attention_scales_not_delivered", "attention", {{"heads", 24L}, {"scales_delivered", false}});
  add("hadamard", "hadamard", {{"size", 4L}});
  add("hadamard_delivered", "hadamard", {{"size", 4L}, {"delivered", true}});
  add("buffers_everything", "buffers",
      {{"shape", Integers{4, 6}},
       {"bias", text("loaded")},
       {"second_name", text("other")},
       {"buffer", Integers{3}},
       {"buffer_persistent", false},
       {"constant", Integers{2, 2}},
       {"expanded", Integers{4, 8}},
       {"empty_buffer", true},
       {"skip", text("_expert_map")},
       {"skip_delivered", true},
       {"view_of", text("weight")},
       {"view_shape", Integers{2, 3}},
       {"view_start", 5L}});
  add("buffers_strided", "buffers", {{"shape", Integers{4, 4}}, {"strides", Integers{8, 1}}, {"bias", text("empty")}});
  for (const char* via : {"copy", "rows", "steps", "transpose", "flat", "bytes", "twice", "temporary", "broadcast", "foreach", "index_copy",
                          "index_put", "mask", "set", "data"})
    add(std::string("via_") + via, "custom_loader", {{"rows", 5L}, {"columns", 3L}, {"bias", true}, {"via", text(via)}});
  const auto experts = [&](std::string name, Values more) {
    more.merge(Values{{"hidden", 3L}, {"intermediate", 24L}, {"experts", 8L}});
    add(std::move(name), "fused_experts", std::move(more));
  };
  experts("experts_cut", {});
  experts("experts_dealt", {{"experts", 24L}, {"intermediate", 2L}, {"parallel", text("expert")}, {"loader", text("free")}});
  experts("experts_dealt_round",
          {{"experts", 24L}, {"intermediate", 2L}, {"parallel", text("expert")}, {"placement", text("round_robin")}});
  experts("experts_redundant", {{"experts", 20L}, {"intermediate", 2L}, {"redundant", 4L}, {"parallel", text("expert")}});
  experts("experts_redundant_round", {{"experts", 14L},
                                      {"intermediate", 2L},
                                      {"redundant", 10L},
                                      {"parallel", text("expert")},
                                      {"placement", text("round_robin")},
                                      {"names", text("w1,w2,w3")}});
  // 24 · 128 elements between: a block of scales for each rank of all rank counts.
  experts("experts_scaled", {{"intermediate", 3072L}, {"experts", 2L}, {"hidden", 130L}, {"scales", text("block")}});
  all.back().spec.dtype = DType::i8;
  experts("experts_packed", {{"hidden", 32L}, {"intermediate", 192L}, {"packed", true}, {"group", 8L}, {"zero_points", true}});
  experts("experts_packed_dealt", {{"hidden", 8L},
                                   {"intermediate", 16L},
                                   {"experts", 24L},
                                   {"packed", true},
                                   {"group", 8L},
                                   {"zero_points", true},
                                   {"parallel", text("expert")}});
  experts("experts_scaled_dealt", {{"intermediate", 128L}, {"experts", 24L}, {"scales", text("block")}, {"parallel", text("expert")}});
  all.back().spec.dtype = DType::i8;
  experts("experts_scale_each", {{"scales", text("tensor")}});
  all.back().spec.dtype = DType::i8;
  experts("experts_scale_each_dealt", {{"experts", 20L},
                                       {"intermediate", 2L},
                                       {"redundant", 4L},
                                       {"scales", text("tensor")},
                                       {"parallel", text("expert")},
                                       {"placement", text("round_robin")}});
  all.back().spec.dtype = DType::i8;
  add("attention_query_scales", "attention", {{"heads", 24L}, {"query_scales", true}});
  add("mla", "mla_attention", {{"heads", 24L}, {"qk_nope_head_dim", 2L}, {"v_head_dim", 3L}, {"kv_lora_rank", 4L}});
  add("rotary", "rotary_embedding", {{"rotary_dim", 6L}, {"max_position", 9L}, {"base", 100.0}});
  add("mamba", "mamba_mixer", {{"channels", 24L}, {"state", 2L}, {"conv_kernel", 3L}});
  add("mamba_a_last", "mamba_mixer", {{"channels", 24L}, {"state", 3L}, {"order", text("a_last")}, {"loader", text("free")}});
  for (const bool rows : {true, false}) {
    const std::string split = rows ? "column" : "row";
    add("lora_" + split, "lora_adapter",
        {{"in", 24L}, {"out", 24L}, {"rank", 2L}, {"slots", 3L}, {"delivered", 2L}, {"split", split}, {"stacks", text("buffers")}});
    all.back().others = {layer_of(split + "_parallel_linear", {{"in", 24L}, {"out", 24L}}, "x.base_layer")};
  }
  add("mamba_child", "mamba_mixer", {{"channels", 24L}, {"state", 2L}, {"conv_kernel", 3L}, {"conv", text("child")}});
  all.back().others = {layer_of("column_parallel_linear", {{"in", 3L}, {"out", 24L}}, "x.conv1d")};
  return all;
}

ModelSpec model_with(const ColdCase& cold) {
  std::vector<LayerSpec> layers{cold.spec};
  layers.insert(layers.end(), cold.others.begin(), cold.others.end());
  return model_of(std::move(layers));
}

constexpr std::array rank_counts{1, 2, 3, 4, 8};

struct RankedCase {
  ColdCase cold;
  int size;
};
void PrintTo(const RankedCase& ranked, std::ostream* out) { *out << ranked.cold.name << " over " << ranked.size; }

// Sizes that do not split over a rank count make no case, so that every case there is gets judged.
std::vector<RankedCase> ranked_cases() {
  std::vector<RankedCase> all;
  for (const ColdCase& each : cases())
    for (const int size : rank_counts)
      if (check_model(model_with(each), size).ok()) all.push_back({each, size});
  return all;
}

class ColdLoad : public ::testing::TestWithParam<RankedCase> {
 protected:
  const LayerSpec& spec() const { return GetParam().cold.spec; }
  int size() const { return GetParam().size; }
  ModelSpec model_spec() const { return model_with(GetParam().cold); }
  const LayerKind& kind() const { return *find_layer_kind(spec().kind); }
};

// Calls fn(source element, target element) for each element of the box, row-major.
template <class Fn>
void walk(const Placement& box, const Shape& delivered, const Shape& target, Fn&& fn) {
  const Shape source = aligned(delivered, target.size());
  Shape at(box.extent.size(), 0);
  for (int64_t left = numel(box.extent); left > 0; --left) {
    int64_t from = 0, to = 0;
    for (size_t dim = 0; dim < at.size(); ++dim) {
      from = from * source[dim] + box.source_start[dim] + at[dim];
      to = to * target[dim] + box.target_start[dim] + at[dim];
    }
    fn(from, to);
    for (size_t dim = at.size(); dim > 0 && ++at[dim - 1] == box.extent[dim - 1]; --dim) at[dim - 1] = 0;
  }
}

// In the slot's dtype.
std::vector<double> constant_values(const SlotSpec& slot) {
  at::Tensor values = at::empty(slot.shape, at::kDouble);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = slot.constant(i);
  return values_of(values.to(to_torch(slot.dtype)));
}

double transformed(SlotSpec::Transform transform, double value) {
  if (transform == SlotSpec::Transform::none) return value;
  return transform == SlotSpec::Transform::negate ? -value : -std::exp(value);
}

// What the slot must hold: NaN where neither a delivery nor a declared value reaches.
std::vector<double> expected_values(const LayerKind& kind, const LayerSpec& spec, const SlotSpec& slot, TensorParallel tp,
                                    const Source& source) {
  std::vector<double> expected(static_cast<size_t>(numel(slot.shape)), slot.initial.value_or(std::nan("")));
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += slot.initial_step * static_cast<double>(i);
  if (slot.constant) expected = constant_values(slot);
  for (const Delivery& delivery : kind.deliveries(spec)) {
    if (delivery.slot != slot.name) continue;
    const std::vector<double> loaded = values_of(source(delivery));
    for (const Placement& box : kind.placements(spec, delivery, tp))
      walk(box, delivery.shape, slot.shape, [&](int64_t from, int64_t to) { expected[to] = transformed(slot.transform, loaded[from]); });
  }
  return expected;
}

TEST_P(ColdLoad, every_element_is_the_one_that_the_arithmetic_names) {
  const Source source = numbered(model_spec());
  for (int rank = 0; rank < size(); ++rank) {
    const TensorParallel tp{rank, size()};
    std::unique_ptr<Model> model = cold(model_spec(), tp);
    for (const SlotSpec& slot : kind().slots(spec(), tp)) {
      if (slot.alias_of || slot.kind == SlotSpec::Kind::empty_parameter || slot.kind == SlotSpec::Kind::empty_buffer) continue;
      const std::vector<double> held = values_of(tensor_at(*model, "x." + slot.name));
      const std::vector<double> expected = expected_values(kind(), spec(), slot, tp, source);
      if (slot.transform != SlotSpec::Transform::negative_exp) {
        EXPECT_EQ(held, expected) << slot.name << " rank " << rank;
        continue;
      }
      ASSERT_EQ(held.size(), expected.size()) << slot.name;
      for (size_t i = 0; i < held.size(); ++i) EXPECT_FLOAT_EQ(held[i], expected[i]) << slot.name << " rank " << rank << " element " << i;
    }
  }
}

TEST_P(ColdLoad, slots_are_as_declared) {
  for (int rank = 0; rank < size(); ++rank) {
    std::unique_ptr<Model> model = cold(model_spec(), {rank, size()});
    const LayerPtr& layer = model->layers().front();
    const std::vector<SlotSpec> declared = kind().slots(spec(), {rank, size()});
    size_t next = 0;
    const auto compare = [&](const Slot& slot, bool is_parameter) {
      ASSERT_LT(next, declared.size());
      const SlotSpec& expected = declared[next++];
      using enum SlotSpec::Kind;
      EXPECT_EQ(slot.name, expected.name);
      EXPECT_EQ(is_parameter, expected.kind == SlotSpec::Kind::parameter || expected.kind == empty_parameter) << slot.name;
      EXPECT_EQ(slot.handle == nullptr, expected.kind == empty_parameter || expected.kind == empty_buffer) << slot.name;
      if (!slot.handle) return;
      EXPECT_EQ(slot.handle->tensor.sizes().vec(), expected.shape) << slot.name;
      EXPECT_EQ(from_torch(slot.handle->tensor.scalar_type()), expected.dtype) << slot.name;
      EXPECT_EQ(slot.persistent, expected.persistent) << slot.name;
      if (!expected.strides.empty()) {
        EXPECT_EQ(slot.handle->tensor.strides().vec(), expected.strides) << slot.name;
      }
    };
    for (const Slot& slot : layer->parameters) compare(slot, true);
    for (const Slot& slot : layer->buffers) compare(slot, false);
    EXPECT_EQ(next, declared.size());
  }
}

// Counted over the ranks, each delivered element lands somewhere, and on each rank at most once for each slot element.
TEST_P(ColdLoad, no_delivered_element_is_lost) {
  for (const Delivery& delivery : kind().deliveries(spec())) {
    std::set<int64_t> landed;
    for (int rank = 0; rank < size(); ++rank) {
      const TensorParallel tp{rank, size()};
      std::set<int64_t> written;
      for (const SlotSpec& slot : kind().slots(spec(), tp)) {
        if (slot.name != delivery.slot) continue;
        for (const Placement& box : kind().placements(spec(), delivery, tp))
          walk(box, delivery.shape, slot.shape, [&](int64_t from, int64_t to) {
            landed.insert(from);
            EXPECT_TRUE(written.insert(to).second) << delivery.name << " writes element " << to << " twice on rank " << rank;
          });
      }
    }
    EXPECT_EQ(static_cast<int64_t>(landed.size()), numel(delivery.shape)) << delivery.name;
  }
}

// Loads may come in any order, so no element may depend on which of two deliveries came last.
TEST_P(ColdLoad, deliveries_that_share_an_element_have_equal_content) {
  for (int rank = 0; rank < size(); ++rank) {
    const TensorParallel tp{rank, size()};
    std::map<std::pair<std::string, int64_t>, const Delivery*> landed;
    const std::vector<Delivery> deliveries = kind().deliveries(spec());
    for (const Delivery& delivery : deliveries)
      for (const SlotSpec& slot : kind().slots(spec(), tp)) {
        if (slot.name != delivery.slot) continue;
        for (const Placement& box : kind().placements(spec(), delivery, tp))
          walk(box, delivery.shape, slot.shape, [&](int64_t, int64_t to) {
            const Delivery* first = landed.try_emplace({slot.name, to}, &delivery).first->second;
            EXPECT_EQ(first->content(), delivery.content()) << slot.name << " element " << to;
          });
      }
  }
}

// Engines run loaders on placeholders to see what they would write: both kinds of source must do.
TEST_P(ColdLoad, loaders_run_on_placeholders) {
  const std::string& name = GetParam().cold.name;
  const bool replaces = name == "via_set" || name == "via_data";
  DeviceScope scope(at::kMeta);
  for (const bool meta_source : {false, true}) {
    for (int rank = 0; rank < size(); ++rank) {
      std::unique_ptr<Model> model = build_model(model_spec(), {rank, size()});
      const Source source = numbered(model->spec);
      const Status status = load_all(*model, [&](const Delivery& delivery) {
        const at::Tensor real = source(delivery);
        return meta_source && real.numel() > 1 ? real.to(at::kMeta) : real;
      });
      EXPECT_EQ(status.ok(), !replaces || meta_source) << status.message();
    }
  }
}

// A checkpoint tensor of another shape is refused, whatever the kind.
TEST_P(ColdLoad, loaders_refuse_other_shapes) {
  std::unique_ptr<Model> model = build_model(model_spec(), {size() - 1, size()});
  for (const Delivery& delivery : deliveries_of(model->spec)) {
    Shape longer = delivery.shape;
    if (longer.empty())
      longer = {2};
    else
      longer[0] += 1;
    EXPECT_FALSE(load_one(*model, delivery, at::ones(longer, to_torch(delivery.dtype))).ok()) << delivery.name;
  }
}

INSTANTIATE_TEST_SUITE_P(kinds, ColdLoad, ::testing::ValuesIn(ranked_cases()),
                         [](const auto& made) { return made.param.cold.name + "_ranks_" + std::to_string(made.param.size); });

TEST(ColdLoadCases, cover_every_kind_and_every_rank_count) {
  std::set<std::string, std::less<>> covered;
  std::map<int, int> cases_at;
  for (const RankedCase& each : ranked_cases()) {
    covered.insert(each.cold.spec.kind);
    ++cases_at[each.size];
  }
  for (const LayerKind* kind : layer_kinds()) EXPECT_TRUE(covered.contains(kind->id())) << kind->id();
  for (const int size : rank_counts) EXPECT_GE(cases_at[size], 40) << size;
}

// Zeros and ones are exact in all of them.
TEST(ColdLoadDTypes, every_element_type_can_be_padded_loaded_and_computed_with) {
  for (DType dtype : all_dtypes()) {
    LayerSpec spec = layer_of("column_parallel_linear", {{"in", 3L}, {"out", 5L}, {"bias", true}, {"pad_rows_to", 8L}, {"pad_value", 1.0}});
    spec.dtype = dtype;
    const ModelSpec model_spec = model_of({spec});
    const Source bits = [&, source = numbered(model_spec)](const Delivery& delivery) {
      Delivery wide = delivery;
      wide.dtype = DType::i64;
      return source(wide).remainder(2).to(to_torch(delivery.dtype));
    };
    std::unique_ptr<Model> model = cold(model_spec, {1, 2}, bits);
    for (const SlotSpec& slot : find_layer_kind(spec.kind)->slots(spec, {1, 2}))
      EXPECT_EQ(values_of(tensor_at(*model, "x." + slot.name)), expected_values(*find_layer_kind(spec.kind), spec, slot, {1, 2}, bits))
          << dtype_name(dtype);
    LayerPtr layer = model->find("x");
    EXPECT_EQ(layer->kind->forward(*layer, layer->kind->example_input(spec, {1, 2}, 1)).sizes().vec(), (Shape{3, 4})) << dtype_name(dtype);
  }
}

TEST(ColdLoadComposed, negative_exponential_is_undone) {
  const ModelSpec spec = model_of({layer_of("composed", {{"size", 4L}})});
  const Source source = [](const Delivery&) { return at::arange(4, at::kFloat) / 2; };
  std::unique_ptr<Model> model = cold(spec, {}, source);
  const std::vector<double> a = values_of(tensor_at(*model, "x.A"));
  for (int i = 0; i < 4; ++i) {
    EXPECT_FLOAT_EQ(a[i], -std::exp(i / 2.0));
    EXPECT_NEAR(undo(SlotSpec::Transform::negative_exp, a[i]), i / 2.0, 1e-6);
  }
}

}  // namespace
}  // namespace reloadlab::model
