#include "reference/model/architecture/linear_layers.h"

#include <fmt/format.h>

namespace reloadlab::model {
namespace {

enum class Form { plain, scaled, packed };

Form form_of(const LayerList& layers) {
  const std::string& word = layers.text("weights");
  return word == "scaled" ? Form::scaled : word == "packed" ? Form::packed : Form::plain;
}

KeyInfo weights_key(std::string_view about, std::string_view choices) {
  return {.name = "weights", .type = KeyInfo::Type::text, .fallback = std::string("plain"), .about = about, .choices = choices};
}

// What the kinds of the form want beside sizes.
Values with_form(const LayerList& layers, Values values) {
  if (form_of(layers) == Form::scaled) values.merge(Values{{"scales", std::string("block")}});
  if (form_of(layers) == Form::packed)
    values.merge(Values{{"group", layers.integer("group")}, {"zero_points", layers.flag("zero_points")}});
  return values;
}

// "column_parallel_linear" with the form before it, and its post-load step.
void add_in_form(LayerList& layers, std::string name, std::string_view kind, Values values) {
  const bool scaled = form_of(layers) == Form::scaled;
  layers.add(std::move(name), fmt::format("{}_{}", scaled ? "scaled" : "packed", kind), with_form(layers, std::move(values)));
  if (scaled) layers.set_last_dtype(DType::e4m3);
  layers.set_last_quant(scaled ? "loaded_fp8_block" : "wna16");
}

std::string last_word(const std::string& path) { return path.substr(path.rfind('.') + 1); }

Status refuse_with(const ModelSpec& spec, std::string_view what, std::string_view why) {
  return Status(Code::data, fmt::format("{} with weights: {}, {}", what, std::get<std::string>(spec.values.at("weights")), why));
}

}  // namespace

std::vector<KeyInfo> weight_keys() {
  return {weights_key("how checkpoints bring linear layers and experts: in the model's type, or e4m3 with scales of blocks of 128×128",
                      "plain|scaled")};
}

std::vector<KeyInfo> packed_weight_keys() {
  return {weights_key("how checkpoints bring linear layers and experts: in the model's type, e4m3 with scales of blocks of 128×128, or "
                      "int4 packed with scales of groups",
                      "plain|scaled|packed"),
          {.name = "group", .fallback = int64_t{128}, .minimum = 1, .about = "of packed weights, inputs that share a scale"},
          {.name = "zero_points", .type = KeyInfo::Type::boolean, .fallback = false, .about = "packed weights have packed zero points"}};
}

// Alone, the kinds of parts have one that is called as the layer is.
void add_column_parallel(LayerList& layers, Linear linear) {
  if (form_of(layers) == Form::plain) {
    Values values{{"in", linear.in}, {"out", linear.out}, {"bias", linear.bias}};
    return layers.add_quantized(std::move(linear.name), "column_parallel_linear", std::move(values));
  }
  std::string word = last_word(linear.name);
  add_in_form(layers, std::move(linear.name), "column_parallel_linear",
              {{"in", linear.in}, {"outs", std::vector<int64_t>{linear.out}}, {"names", std::move(word)}});
}

void add_row_parallel(LayerList& layers, Linear linear) {
  Values values{{"in", linear.in}, {"out", linear.out}};
  if (form_of(layers) != Form::plain) return add_in_form(layers, std::move(linear.name), "row_parallel_linear", std::move(values));
  values.merge(Values{{"bias", linear.bias}});
  layers.add_quantized(std::move(linear.name), "row_parallel_linear", std::move(values));
}

void add_replicated(LayerList& layers, Linear linear) {
  Values values{{"in", linear.in}, {"out", linear.out}};
  if (form_of(layers) != Form::plain) return add_in_form(layers, std::move(linear.name), "replicated_linear", std::move(values));
  layers.add_quantized(std::move(linear.name), "replicated_linear", std::move(values));
}

void add_merged(LayerList& layers, std::string name, int64_t in, std::vector<int64_t> outs, std::string names) {
  Values values{{"in", in}, {"outs", std::move(outs)}, {"names", std::move(names)}};
  if (form_of(layers) != Form::plain) return add_in_form(layers, std::move(name), "column_parallel_linear", std::move(values));
  layers.add_quantized(std::move(name), "merged_column_parallel_linear", std::move(values));
}

// Quantized heads are split over ranks as any parts are: each rank has whole heads of its own, none is replicated.
void add_query_key_value(LayerList& layers, GroupedHeads heads) {
  if (form_of(layers) == Form::plain) {
    Values values{
        {"hidden", heads.hidden}, {"heads", heads.heads}, {"kv_heads", heads.kv_heads}, {"head_dim", heads.head_dim}, {"bias", heads.bias}};
    return layers.add_quantized(std::move(heads.name), "qkv_parallel_linear", std::move(values));
  }
  const int64_t queries = heads.heads * heads.head_dim, keys = heads.kv_heads > 0 ? heads.kv_heads * heads.head_dim : queries;
  add_in_form(layers, std::move(heads.name), "column_parallel_linear",
              {{"in", heads.hidden},
               {"outs", std::vector<int64_t>{queries, keys, keys}},
               {"names", std::string("q_proj,k_proj,v_proj")},
               {"shards", std::string("q,k,v")}});
}

void add_absorbed(LayerList& layers, Linear linear) {
  const bool plain = form_of(layers) == Form::plain;
  add_column_parallel(layers, std::move(linear));
  if (plain) layers.set_last_quant("none");
}

void add_expert_stacks(LayerList& layers, std::string name, Values values) {
  const Form form = form_of(layers);
  if (form == Form::packed) values.merge(Values{{"packed", true}});
  layers.add(std::move(name), "fused_experts", with_form(layers, std::move(values)));
  if (form == Form::scaled) layers.set_last_dtype(DType::e4m3);
  layers.set_last_quant(form == Form::packed ? "experts_wna16" : layers.text("expert_quant"));
}

Status check_weights(const ModelSpec& spec) {
  if (std::get<std::string>(spec.values.at("weights")) == "plain") return {};
  for (const std::string_view key : {"quant", "expert_quant"})
    if (const auto found = spec.values.find(key); found != spec.values.end() && std::get<std::string>(found->second) != "none")
      return refuse_with(spec, fmt::format("{}: {}", key, std::get<std::string>(found->second)), "which come quantized");
  for (const std::string_view key : {"qkv_bias", "o_bias"})
    if (const auto found = spec.values.find(key); found != spec.values.end() && std::get<bool>(found->second))
      return refuse_with(spec, key, "whose layers have no biases");
  return {};
}

}  // namespace reloadlab::model
