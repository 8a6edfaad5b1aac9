#include "sim/fuzz/draw_layers.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/fuzz/draw_kinds.h"
#include "sim/fuzz/draw_quantized.h"

namespace reloadlab::sim::fuzz {
namespace {

using model::LayerSpec;
using Layers = std::vector<LayerSpec>;

// Any method that suits the layer and is no defect.
std::string draw_quant(const LayerSpec& spec, Drawing& d) {
  Choices::Scope about(d.choices, About::quant);
  const bool quantized = d.choices.chance(50, d.swarm.quantized);
  const uint32_t which = d.choices.below(64);
  if (!quantized) return "none";
  std::vector<std::string_view> fitting;
  for (const model::QuantInfo* method : sound_methods())
    if (suits(*method, spec, d.ranks)) fitting.push_back(method->id);
  return fitting.empty() ? "none" : std::string(fitting[which % fitting.size()]);
}

LayerSpec draw_layer(std::string name, Drawing& d) {
  const DrawnKind& kind = drawn_kinds()[d.choices.pick(d.swarm.kinds)];
  LayerSpec spec = layer_of(std::move(name), kind.id, kind.draw(d));
  {
    Choices::Scope about(d.choices, About::type);
    const uint32_t type = d.choices.below(3);
    spec.dtype = kind.in_bytes ? (type == 1 ? DType::i8 : DType::e4m3) : std::array{DType::bf16, DType::f32, DType::f16}[type];
  }
  spec.quant = draw_quant(spec, d);
  return spec;
}

void draw_tree(Layers& layers, const std::string& name, Drawing& d, int depth) {
  layers.push_back(draw_layer(name, d));
  for (int child = 0; child < 2 && depth > 0; ++child) {
    Choices::Scope about(d.choices, About::layer);
    if (!d.choices.chance(40, d.swarm.nested)) return;
    draw_tree(layers, fmt::format("{}.{}.it", name, child), d, depth - 1);
  }
}

// A buffer that is a view of the layer's own weight, or of its child's.
void draw_view(Layers& layers, const std::string& name, Drawing& d) {
  const bool child = d.flip();
  const int64_t rows = d.small(1, 4), columns = d.small(1, 4), start = d.small(0, rows * columns - 1);
  Values parent{{"shape", child ? Shape{2} : Shape{rows, columns}}, {"bias", d.word({"none", "loaded", "empty"})}};
  parent["view_of"] = std::string(child ? "conv.weight" : "weight");
  parent["view_start"] = start;
  parent["view_shape"] = Shape{d.small(1, rows * columns - start)};
  layers.push_back(layer_of(name, "buffers", std::move(parent)));
  if (child) layers.push_back(layer_of(name + ".conv", "buffers", {{"shape", Shape{rows, columns}}, {"bias", d.word({"none", "loaded"})}}));
}

// A head that is the embedding, its vocabulary padded; or a layer with loads of its own that is tied.
void draw_tied(Layers& layers, const std::string& name, Drawing& d) {
  if (d.flip()) {
    const int64_t rows = d.size(), columns = d.size();
    layers.push_back(layer_of(name, "vocab_parallel_embedding", {{"vocab", rows}, {"hidden", columns}, {"pad_to", d.unit}}));
    layers.push_back(layer_of(name + ".head", "column_parallel_linear", {{"in", columns}, {"out", rows}, {"bias", d.flip()}}));
    layers.back().tied_to = name + ".weight";
    return;
  }
  const Values rows = draw_vocabulary(d);
  layers.push_back(layer_of(name, "vocab_parallel_embedding", rows));
  if (d.flip()) layers.push_back(draw_layer(name + ".between.it", d));
  layers.push_back(layer_of(name + ".head", "parallel_lm_head", rows));
  layers.back().tied_to = name + ".weight";
  const bool quantized = d.choices.chance(50, d.swarm.quantized);
  const std::string method = d.word({"fp8_per_tensor", "fp8_per_channel", "int8_per_channel"});
  for (LayerSpec& each : layers)
    if (quantized && (each.name == name || each.name == name + ".head")) each.quant = method;
}

// Latent attention whose matrices are absorbed from a child's projection.
void draw_absorbed(Layers& layers, const std::string& name, Drawing& d) {
  const int64_t in = d.size();
  layers.push_back(layer_of(name, "mla_attention",
                            {{"heads", d.unit},
                             {"qk_nope_head_dim", int64_t{1}},
                             {"v_head_dim", int64_t{2}},
                             {"kv_lora_rank", in},
                             {"kv_b", std::string("kv_b_proj.weight")}}));
  layers.push_back(layer_of(name + ".kv_b_proj", "column_parallel_linear", {{"in", in}, {"out", 3 * d.unit}}));
  const bool quantized = d.choices.chance(60, d.swarm.quantized);
  const std::string method = d.word({"fp8_per_tensor", "fp8_per_channel", "fp8_block", "int8_per_channel"});
  if (quantized) layers.back().quant = method;
}

// A view of a child's convolution, or adapters over a base layer.
void draw_over_child(Layers& layers, const std::string& name, Drawing& d) {
  const int64_t in = d.size(), out = d.size();
  const Values child{{"in", in}, {"out", out}, {"bias", d.flip()}};
  if (d.flip()) {
    layers.push_back(
        layer_of(name, "mamba_mixer", {{"channels", out}, {"state", d.small(1, 6)}, {"conv_kernel", in}, {"conv", std::string("child")}}));
    layers.push_back(layer_of(name + ".conv1d", "column_parallel_linear", child));
    return;
  }
  const std::string split = d.word({"column", "row"});
  layers.push_back(layer_of(name, "lora_adapter",
                            {{"in", in},
                             {"out", out},
                             {"rank", d.small(1, 3)},
                             {"slots", int64_t{2}},
                             {"delivered", d.small(0, 2)},
                             {"split", split},
                             {"stacks", d.word({"parameters", "buffers"})}}));
  layers.push_back(layer_of(name + ".base_layer", split + "_parallel_linear", child));
}

void draw_group(Layers& layers, const std::string& name, Drawing& d) {
  const uint32_t which = d.choices.below(12);
  if (which >= 10 && d.swarm.quantized) return draw_quantized(layers, name, d);
  if (which == 9 && d.swarm.views) return draw_view(layers, name, d);
  if (which >= 7 && which <= 8 && d.swarm.ties) return draw_tied(layers, name, d);
  if (which == 6 && d.swarm.readers) return draw_absorbed(layers, name, d);
  if (which == 5 && d.swarm.readers) return draw_over_child(layers, name, d);
  draw_tree(layers, name, d, 2);
}

bool delivers_something(const Layers& layers) {
  return std::ranges::any_of(layers, [](const LayerSpec& layer) { return !model::find_layer_kind(layer.kind)->deliveries(layer).empty(); });
}

}  // namespace

std::vector<LayerSpec> draw_layers(Drawing& d) {
  Layers layers;
  constexpr int most = 4;
  for (int group = 0;; ++group) {
    Choices::Scope about(d.choices, About::layer);
    const bool more = d.choices.chance(45, group < most);
    if (group > 0 && !more) break;
    const std::string name = fmt::format("blocks.{}.it", group);
    group == 0 && d.quantizes ? draw_quantized(layers, name, d) : draw_group(layers, name, d);
  }
  if (!delivers_something(layers)) layers.push_back(layer_of("norm", "norm", {{"hidden", d.unit}}));
  return layers;
}

}  // namespace reloadlab::sim::fuzz
