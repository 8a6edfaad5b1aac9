// Fused experts, quantized: every byte against arithmetic written down again, one number at a time and without LibTorch.
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/packed.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/formats.h"
#include "tests/reference/model/quant_step.h"

namespace reloadlab::model {
namespace {

struct Sizes {
  int64_t hidden, intermediate, experts;
};

LayerSpec stack_experts(const std::string& quant, Sizes sizes, DType dtype = DType::bf16, Values more = {}) {
  more.merge(Values{{"hidden", sizes.hidden}, {"intermediate", sizes.intermediate}, {"experts", sizes.experts}});
  LayerSpec spec = layer_of("fused_experts", std::move(more), "x", dtype);
  spec.quant = quant;
  return spec;
}

// A stack of bf16 numbers: every bit pattern, scattered; with `most`, those above it get the smallest exponent.
struct Stack {
  int64_t experts, rows, columns, parts;
  std::vector<uint16_t> bits;
  float at(int64_t expert, int64_t row, int64_t column) const {
    return from_bf16(bits[static_cast<size_t>((expert * rows + row) * columns + column)]);
  }
};

Stack scattered(int64_t experts, int64_t rows, int64_t columns, int64_t parts, float most) {
  Stack stack{experts, rows, columns, parts, {}};
  for (int64_t i = 0; i < experts * rows * columns; ++i) {
    auto bits = static_cast<uint16_t>(i * 40503);
    if (!(std::abs(from_bf16(bits)) <= most)) bits &= 0x807f;
    stack.bits.push_back(bits);
  }
  return stack;
}

void load(const Model& model, const std::string& name, const Stack& stack) {
  const at::Tensor& tensor = tensor_at(model, "x." + name);
  ASSERT_EQ(tensor.sizes().vec(), (Shape{stack.experts, stack.rows, stack.columns}));
  std::memcpy(tensor.data_ptr(), stack.bits.data(), stack.bits.size() * sizeof(uint16_t));
}

struct Method {
  std::string id;
  bool blocks, swapped;
};
void PrintTo(const Method& method, std::ostream* out) { *out << method.id; }
const Method fp8_methods[] = {{"experts_fp8_per_tensor", false, false},
                              {"experts_fp8_block", true, false},
                              {"experts_fp8_per_tensor_w31", false, true},
                              {"experts_fp8_block_w31", true, true}};

// The scale of the element's box: the expert's matrix, or 128×128 within its part.
float scale_of(const Stack& stack, bool blocks, int64_t expert, int64_t row, int64_t column) {
  const int64_t part = stack.rows / stack.parts, first = row / part * part, block = first + (row - first) / 128 * 128;
  const int64_t top = blocks ? block : 0, bottom = blocks ? std::min(block + 128, first + part) : stack.rows;
  const int64_t left = blocks ? column / 128 * 128 : 0, right = blocks ? std::min(left + 128, stack.columns) : stack.columns;
  float largest = 0;
  for (int64_t i = top; i < bottom; ++i)
    for (int64_t j = left; j < right; ++j) {
      const float size = std::abs(stack.at(expert, i, j));
      largest = std::isnan(size) || std::isnan(largest) ? NAN : std::max(largest, size);
    }
  return largest / 448.0F == 0 ? 1 : largest / 448.0F;
}

// Where the scale stands: of blocks [expert, block down, block across], blocks of a part below those of the part before.
int64_t scale_at(const Stack& stack, const Method& method, int64_t expert, int64_t target_row, int64_t column) {
  if (!method.blocks) return expert;
  const int64_t part = stack.rows / stack.parts, down = (part + 127) / 128, across = (stack.columns + 127) / 128;
  return (expert * stack.parts * down + target_row / part * down + target_row % part / 128) * across + column / 128;
}

void expect_as_defined(const Model& model, const std::string& name, const Stack& stack, const Method& method) {
  const at::Tensor& bytes = tensor_at(model, "x." + name);
  const at::Tensor& scales = tensor_at(model, "x." + name + (method.blocks ? "_scale_inv" : "_scale"));
  const auto* got = static_cast<const uint8_t*>(bytes.const_data_ptr());
  std::map<int64_t, float> known;
  for (int64_t expert = 0; expert < stack.experts; ++expert)
    for (int64_t row = 0; row < stack.rows; ++row)
      for (int64_t column = 0; column < stack.columns; ++column) {
        const int64_t half = stack.rows / 2;
        const int64_t there = method.swapped && stack.parts == 2 ? (row + half) % stack.rows : row;
        const int64_t box = scale_at(stack, method, expert, there, column);
        if (!known.contains(box)) known[box] = scale_of(stack, method.blocks, expert, row, column);
        const float wanted_scale = known[box], scale = scales.const_data_ptr<float>()[box];
        ASSERT_TRUE(same_bits(scale, wanted_scale)) << name << " " << box << ": " << scale;
        const uint8_t wanted = kernel_e4m3(stack.at(expert, row, column) / wanted_scale);
        const uint8_t byte = got[(expert * stack.rows + there) * stack.columns + column];
        ASSERT_EQ(byte, wanted) << name << " " << expert << ", " << row << ", " << column;
      }
  EXPECT_EQ(static_cast<int64_t>(known.size()), scales.numel());
}

class ExpertsFp8 : public ::testing::TestWithParam<Method> {};

TEST_P(ExpertsFp8, every_input_comes_out_as_defined) {
  for (const Sizes& sizes : {Sizes{160, 136, 3}, Sizes{128, 128, 2}, Sizes{3, 5, 2}})
    for (float most : {INFINITY, 3e38F, 448.0F, 1e-30F, 0.0F}) {
      const Stack w13 = scattered(sizes.experts, 2 * sizes.intermediate, sizes.hidden, 2, most);
      const Stack w2 = scattered(sizes.experts, sizes.hidden, sizes.intermediate, 1, most);
      std::unique_ptr<Model> model = build_model(model_of({stack_experts(GetParam().id, sizes)}), {});
      load(*model, "w13_weight", w13);
      load(*model, "w2_weight", w2);
      ASSERT_TRUE(process_model_after_loading(*model).ok());
      expect_as_defined(*model, "w13_weight", w13, GetParam());
      expect_as_defined(*model, "w2_weight", w2, GetParam());
    }
}

INSTANTIATE_TEST_SUITE_P(all, ExpertsFp8, ::testing::ValuesIn(fp8_methods), [](const auto& each) { return each.param.id; });

TEST(ExpertsW31, puts_the_up_projection_above_the_gate_as_it_declares) {
  const ModelSpec spec = model_of({stack_experts("experts_w31", {2, 3, 2}, DType::f32)});
  std::unique_ptr<Model> model = cold(spec), plain = cold(spec);
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  const std::vector<double> before = values_of(tensor_at(*plain, "x.w13_weight")), after = values_of(tensor_at(*model, "x.w13_weight"));
  const std::vector<SlotSpec> slots = find_layer_kind("fused_experts")->slots(spec.layers[0], {});
  const std::vector<int64_t> from = find_quant_method("experts_w31")->permutation(slots[0]);
  for (size_t expert = 0; expert < 2; ++expert)
    for (size_t row = 0; row < 6; ++row)
      for (size_t column = 0; column < 2; ++column) {
        const size_t here = (expert * 6 + row) * 2 + column, there = (expert * 6 + (row + 3) % 6) * 2 + column;
        EXPECT_EQ(after[here], before[there]);
        EXPECT_EQ(from[here], static_cast<int64_t>(there));
      }
  EXPECT_EQ(model->find("x")
                ->quant_method->checkpoint_layout("w13_weight", tensor_at(*model, "x.w13_weight"))
                .equal(tensor_at(*plain, "x.w13_weight")),
            true);
}

TEST(ExpertsW31, moves_the_scales_of_loaded_experts_with_them) {
  for (const char* scales : {"tensor", "block"}) {
    LayerSpec spec = stack_experts("experts_w31", {8, 128, 2}, DType::i8, {{"scales", std::string(scales)}});
    std::unique_ptr<Model> model = cold(model_of({spec})), plain = cold(model_of({spec}));
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    for (const std::string name : {"x.w13_weight", scales == std::string("tensor") ? "x.w13_weight_scale" : "x.w13_weight_scale_inv"}) {
      const at::Tensor &after = tensor_at(*model, name), &before = tensor_at(*plain, name);
      const int64_t half = before.size(1) / 2;
      EXPECT_TRUE(after.narrow(1, 0, half).equal(before.narrow(1, half, half))) << name;
      EXPECT_TRUE(after.narrow(1, half, half).equal(before.narrow(1, 0, half))) << name;
      EXPECT_TRUE(model->find("x")->quant_method->checkpoint_layout(name.substr(2), after).equal(before)) << name;
    }
  }
}

// Each matrix becomes what a linear layer of its own makes of it, whose bytes have tests of their own.
TEST(ExpertsWna16, each_expert_becomes_what_a_linear_layer_would) {
  for (const char* group : {"g32", "g128"}) {
    const Sizes sizes{128, 128, 3};
    const std::string online = std::string("wna16_online_") + group;
    std::unique_ptr<Model> model = build_model(model_of({stack_experts("experts_" + online, sizes)}), {});
    const Stack w13 = scattered(3, 256, 128, 2, 448.0F), w2 = scattered(3, 128, 128, 1, INFINITY);
    load(*model, "w13_weight", w13);
    load(*model, "w2_weight", w2);
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    for (const auto& [name, stack] : {std::pair("x.w13_weight", &w13), {"x.w2_weight", &w2}})
      for (int64_t expert = 0; expert < 3; ++expert) {
        LayerSpec linear = layer_of("column_parallel_linear", {{"in", stack->columns}, {"out", stack->rows}}, "y", DType::bf16);
        linear.quant = online;
        std::unique_ptr<Model> one = build_model(model_of({linear}), {});
        const size_t elements = static_cast<size_t>(stack->rows * stack->columns);
        std::memcpy(tensor_at(*one, "y.weight").data_ptr(), stack->bits.data() + static_cast<size_t>(expert) * elements,
                    elements * sizeof(uint16_t));
        ASSERT_TRUE(process_model_after_loading(*one).ok());
        for (const std::string suffix : {"", "_scale", "_zero_point"}) {
          const at::Tensor got = tensor_at(*model, name + suffix).select(0, expert), wanted = tensor_at(*one, "y.weight" + suffix);
          EXPECT_TRUE(got.contiguous().view(at::kByte).equal(wanted.contiguous().view(at::kByte))) << name << suffix << " " << expert;
        }
      }
  }
}

// Codes and scales that a checkpoint brings, each expert as a linear layer of its own would have them, before tiling and after it.
TEST(ExpertsWna16, packed_experts_become_what_packed_linear_layers_do) {
  for (const auto& [parallel, zero_points] : {std::pair("tensor", false), {"tensor", true}, {"expert", false}, {"expert", true}})
    for (int ranks : {1, 2}) {
      Values packed{{"packed", true}, {"group", 16L}, {"parallel", std::string(parallel)}, {"top_k", 2L}, {"zero_points", zero_points}};
      const LayerSpec spec = stack_experts("experts_wna16", {64, 128, 4}, DType::bf16, packed);
      const ModelSpec model_spec = model_of({spec});
      const Source source = [numbers = numbered(model_spec)](const Delivery& delivery) {
        const at::Tensor values = numbers(delivery);
        return delivery.slot.ends_with("_packed") || delivery.slot.ends_with("_zero_point") ? values * 2654435 : values;
      };
      for (int rank = 0; rank < ranks; ++rank) {
        std::unique_ptr<Model> tiled = cold(model_spec, {rank, ranks}, source);
        LayerSpec without = spec;
        without.quant = "none";
        std::unique_ptr<Model> plain = cold(model_of({without}), {rank, ranks}, source);
        ASSERT_TRUE(process_model_after_loading(*tiled).ok());
        for (const std::string name : {"x.w13_weight", "x.w2_weight"}) {
          const at::Tensor& words = tensor_at(*plain, name + "_packed");
          for (int64_t expert = 0; expert < words.size(0); ++expert) {
            const Values sizes{{"in", words.size(2) * 8}, {"outs", Shape{words.size(1)}}, {"group", 16L}, {"zero_points", zero_points}};
            LayerSpec linear = layer_of("packed_column_parallel_linear", sizes, "y", DType::bf16);
            linear.quant = "wna16";
            std::unique_ptr<Model> one = build_model(model_of({linear}), {});
            std::vector<std::string> suffixes{"_packed", "_scale"};
            if (zero_points) suffixes.emplace_back("_zero_point");
            for (const std::string& suffix : suffixes)
              tensor_at(*one, "y.weight" + suffix).copy_(tensor_at(*plain, name + suffix).select(0, expert));
            ASSERT_TRUE(process_model_after_loading(*one).ok());
            for (const std::string& suffix : suffixes)
              EXPECT_TRUE(tensor_at(*tiled, name + suffix).select(0, expert).equal(tensor_at(*one, "y.weight" + suffix))) << name << expert;
          }
        }
        Layer &a = *plain->find("x"), &b = *tiled->find("x");
        const at::Tensor input = a.kind->example_input(spec, {}, 3);
        EXPECT_TRUE(a.kind->forward(a, input).equal(b.kind->forward(b, input)));
      }
    }
}

// The words that land in a rank's stacks, found by their numbers. Of zero points words hold rows, so that a share has an eighth of them.
TEST(PackedExperts, ranks_take_rows_of_gates_and_words_of_down_projections) {
  const ModelSpec spec =
      model_of({stack_experts("none", {64, 128, 2}, DType::f32, {{"packed", true}, {"group", 32L}, {"zero_points", true}})});
  std::map<std::string, at::Tensor> sent;
  const Source source = numbered(spec);
  for (const Delivery& delivery : deliveries_of(spec)) sent[delivery.name] = source(delivery);
  ASSERT_EQ(sent.size(), 2U * 3 * 4);
  EXPECT_EQ(sent.at("experts.1.down_proj.weight_zero_point").sizes().vec(), (Shape{8, 4}));
  EXPECT_EQ(sent.at("experts.1.up_proj.weight_zero_point").sizes().vec(), (Shape{16, 2}));
  EXPECT_EQ(sent.at("experts.1.down_proj.weight_packed").sizes().vec(), (Shape{64, 16}));
  EXPECT_EQ(sent.at("experts.1.down_proj.weight_scale").sizes().vec(), (Shape{64, 4}));
  std::unique_ptr<Model> model = cold(spec, {1, 2}, source);
  for (const auto& [suffix, columns, rows] : {std::tuple("weight_packed", 8, 64), {"weight_scale", 2, 64}, {"weight_zero_point", 2, 8}}) {
    const at::Tensor &w13 = tensor_at(*model, std::string("x.w13_") + suffix), &w2 = tensor_at(*model, std::string("x.w2_") + suffix);
    for (int64_t expert : {0, 1}) {
      const auto part = [&](const char* name) { return sent.at(fmt::format("experts.{}.{}.{}", expert, name, suffix)); };
      EXPECT_TRUE(w13.select(0, expert).narrow(0, 0, rows).equal(part("gate_proj").narrow(0, rows, rows)));
      EXPECT_TRUE(w13.select(0, expert).narrow(0, rows, rows).equal(part("up_proj").narrow(0, rows, rows)));
      EXPECT_TRUE(w2.select(0, expert).equal(part("down_proj").narrow(1, columns, columns)));
    }
  }
  EXPECT_TRUE(tensor_at(*model, "x.w13_weight_shape").select(0, 1).equal(sent.at("experts.1.up_proj.weight_shape")));
}

std::vector<std::string> methods() {
  std::vector<std::string> all;
  for (const QuantInfo& info : quant_methods())
    if (info.id.starts_with("experts_") && info.id != "experts_wna16") all.emplace_back(info.id);
  return all;
}

std::vector<LayerSpec> layers() {
  std::vector<LayerSpec> all;
  for (const std::string& method : methods())
    for (DType dtype : {DType::f32, DType::bf16})
      for (const Sizes& sizes :
           {Sizes{1, 1, 1}, Sizes{3, 5, 2}, Sizes{160, 136, 3}, Sizes{128, 128, 2}, Sizes{64, 32, 2}, Sizes{128, 256, 1}})
        for (const char* parallel : {"tensor", "expert"})
          if (const LayerSpec spec = stack_experts(method, sizes, dtype, {{"parallel", std::string(parallel)}});
              check_model(model_of({spec}), 1).ok())
            all.push_back(spec);
  return all;
}

std::vector<LayerSpec> packed_layers() {
  std::vector<LayerSpec> all;
  for (DType dtype : {DType::f32, DType::bf16})
    for (const Sizes& sizes : {Sizes{64, 32, 1}, Sizes{64, 96, 3}, Sizes{128, 64, 2}})
      for (int64_t group : {1L, 8L, 32L})
        for (bool zero_points : {false, true})
          all.push_back(stack_experts("experts_wna16", sizes, dtype, {{"packed", true}, {"group", group}, {"zero_points", zero_points}}));
  return all;
}

INSTANTIATE_TEST_SUITE_P(Experts, QuantStep, ::testing::ValuesIn(layers()), quant_step_name);
INSTANTIATE_TEST_SUITE_P(PackedExperts, QuantStep, ::testing::ValuesIn(packed_layers()), quant_step_name);

// The forward goes by the checkpoint's order and values, whatever kernels hold.
TEST(QuantizedExperts, compute_nearly_what_they_would_without) {
  for (const std::string& method : methods())
    for (const char* parallel : {"tensor", "expert"}) {
      const Sizes sizes{128, 256, 2};
      const LayerSpec plain = stack_experts("none", sizes, DType::bf16, {{"parallel", std::string(parallel)}, {"top_k", 2L}});
      LayerSpec with = plain;
      with.quant = method;
      const Source source = [numbers = numbered(model_of({plain}))](const Delivery& delivery) {
        Delivery wide = delivery;
        wide.dtype = DType::f32;
        return (numbers(wide) * 0.37).sin().mul_(0.1).to(at::kBFloat16);
      };
      for (int size : {1, 2}) {
        Group a = cold_group(model_of({plain}), size, source), b = cold_group(model_of({with}), size, source);
        for (int rank = 0; rank < size; ++rank) {
          ASSERT_TRUE(process_model_after_loading(*b.ranks[rank]).ok());
          Layer &x = *a.ranks[rank]->find("x"), &y = *b.ranks[rank]->find("x");
          const at::Tensor input = x.kind->example_input(plain, {}, 3), wanted = x.kind->forward(x, input);
          const double most = wanted.abs().max().item<double>(), off = (y.kind->forward(y, input) - wanted).abs().max().item<double>();
          const double part = method == "experts_w31" ? 0 : method.find("fp8") != std::string::npos ? 0.15 : 0.4;
          EXPECT_LE(off, most * part) << method;
        }
      }
    }
}

TEST(QuantizedExperts, are_refused_where_they_do_not_fit) {
  const auto refusal = [](const LayerSpec& spec) { return check_model(model_of({spec}), 1).message(); };
  EXPECT_EQ(refusal(stack_experts("experts_wna16_online_g32", {64, 48, 2})),
            "x: quantization experts_wna16_online_g32 needs tiles of 64 rows of an expert, and w13_weight has 96");
  EXPECT_EQ(refusal(stack_experts("experts_wna16_online_g128", {64, 128, 2})),
            "x: quantization experts_wna16_online_g128 needs groups of 128 inputs, and w13_weight has 64");
  EXPECT_EQ(refusal(stack_experts("experts_fp8_block", {4, 4, 2}, DType::f16)),
            "x: quantization experts_fp8_block needs weights in f32 or bf16");
  const auto packed = [](Sizes sizes, int64_t group) {
    return stack_experts("experts_wna16", sizes, DType::bf16, {{"packed", true}, {"group", group}});
  };
  EXPECT_EQ(refusal(stack_experts("none", {64, 64, 1}, DType::bf16, {{"zero_points", true}})), "x: zero points are of packed weights");
  EXPECT_EQ(refusal(packed({12, 64, 1}, 4)), "x: 12 inputs cannot be packed by 8");
  EXPECT_EQ(refusal(packed({64, 64, 1}, 48)), "x: 64 inputs are no whole groups of 48");
  EXPECT_EQ(refusal(packed({64, 48, 1}, 16)),
            "x: quantization experts_wna16 needs tiles of 64 outputs and 16 inputs of an expert, and w13_weight_packed has 96 and 64");
  EXPECT_EQ(refusal(stack_experts("experts_wna16", {64, 64, 1})),
            "x: quantization experts_wna16 needs packed stacks with their scales, as fused_experts has them with packed");
  LayerSpec linear = layer_of("column_parallel_linear", {{"in", 4L}, {"out", 4L}});
  linear.quant = "experts_w31";
  EXPECT_EQ(refusal(linear), "x: quantization experts_w31 needs a stack w13_weight, as fused_experts has it unless it is packed");
  EXPECT_EQ(refusal(stack_experts("fp8_per_tensor", {4, 4, 2})), "x: quantization fp8_per_tensor needs a tensor called weight");
}

}  // namespace
}  // namespace reloadlab::model
