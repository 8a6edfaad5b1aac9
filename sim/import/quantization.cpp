#include "sim/import/quantization.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

constexpr uint64_t block = 128;
constexpr uint64_t group_most = 1 << 20;

std::string text_of(const JsonNode& node, std::string_view name) {
  const JsonNode* member = node.member(name);
  return member && member->kind == JsonNode::Kind::text ? member->text : std::string();
}

bool is_block(const JsonNode& node) {
  return node.kind == JsonNode::Kind::array && node.children.size() == 2 && std::ranges::all_of(node.children, [](const JsonNode& size) {
           return size.kind == JsonNode::Kind::natural && size.number == block;
         });
}

bool is_empty(const JsonNode* node) {
  return !node || ((node->kind == JsonNode::Kind::object || node->kind == JsonNode::Kind::array) && node->children.empty());
}

// A checkpoint of compressed-tensors whose weights are in no group of quantized ones: its cache of keys and values has scales.
bool leaves_weights_alone(const JsonNode& quantization) {
  const JsonNode* cache = quantization.member("kv_cache_scheme");
  return text_of(quantization, "quant_method") == "compressed-tensors" && cache && cache->kind == JsonNode::Kind::object &&
         is_empty(quantization.member("config_groups"));
}

// Says what the section has at a place, and what was expected.
class SectionRefusal {
 public:
  SectionRefusal(const JsonNode& quantization, const Origin& origin, std::string expected)
      : quantization_(quantization), origin_(origin), expected_(std::move(expected)) {}
  Status operator()(const JsonNode* at, std::string_view what) const {
    return origin_.error(at ? at->offset : quantization_.offset, fmt::format("quantization_config{}, expected {}", what, expected_));
  }

 private:
  const JsonNode& quantization_;
  const Origin& origin_;
  std::string expected_;
};

Result<Values> blocks_of(const JsonNode& quantization, const SectionRefusal& refuse) {
  const JsonNode *format = quantization.member("fmt"), *size = quantization.member("weight_block_size");
  if (format && text_of(quantization, "fmt") != "e4m3") return refuse(format, " has a fmt that is not \"e4m3\"");
  if (!size) return refuse(nullptr, " has no weight_block_size");
  if (!is_block(*size)) return refuse(size, " has another weight_block_size");
  return Values{{"weights", std::string("scaled")}};
}

bool says(const JsonNode& node, std::string_view name, std::string_view what) {
  const JsonNode* member = node.member(name);
  return member && (member->kind == JsonNode::Kind::text ? member->text : describe(*member)) == what;
}

// The one group of weights that the section describes, or null.
const JsonNode* only_group(const JsonNode& quantization) {
  const JsonNode* groups = quantization.member("config_groups");
  if (!groups || groups->kind != JsonNode::Kind::object || groups->children.size() != 1) return nullptr;
  const JsonNode& group = groups->children.front();
  const JsonNode* weights = group.kind == JsonNode::Kind::object ? group.member("weights") : nullptr;
  return weights && weights->kind == JsonNode::Kind::object ? weights : nullptr;
}

Result<Values> packed_of(const JsonNode& quantization, const SectionRefusal& refuse) {
  if (!says(quantization, "format", "pack-quantized")) return refuse(quantization.member("format"), " is not pack-quantized");
  const JsonNode* weights = only_group(quantization);
  if (!weights) return refuse(quantization.member("config_groups"), " has not one group of weights");
  if (!says(*weights, "num_bits", "4") || !says(*weights, "type", "int")) return refuse(weights, " has weights that are no int of 4 bits");
  const JsonNode *group = weights->member("group_size"), *symmetric = weights->member("symmetric");
  if (!says(*weights, "strategy", "group") || !group || group->kind != JsonNode::Kind::natural || group->number == 0 ||
      group->number > group_most)
    return refuse(group ? group : weights, " has weights without groups of inputs");
  return Values{{"weights", std::string("packed")},
                {"group", static_cast<int64_t>(group->number)},
                {"zero_points", symmetric && says(*weights, "symmetric", "false")}};
}

bool takes_packed(const model::ArchitectureInfo& architecture) {
  return std::ranges::count(architecture.keys, "group", &model::KeyInfo::name) > 0;
}

}  // namespace

Result<Values> weights_of(const JsonNode& quantization, const model::ArchitectureInfo& architecture, const Origin& origin) {
  if (quantization.kind != JsonNode::Kind::object)
    return origin.error(quantization.offset, fmt::format("quantization_config is {}, expected an object", describe(quantization)));
  if (leaves_weights_alone(quantization)) return Values();
  if (!std::ranges::count(architecture.keys, "weights", &model::KeyInfo::name))
    return origin.error(quantization.offset,
                        fmt::format("quantization_config is an object, expected weights that are not quantized: architecture {} takes no "
                                    "others",
                                    architecture.id));
  const std::string blocks = fmt::format("fp8 with weight_block_size [{0}, {0}]", block);
  const SectionRefusal refuse(
      quantization, origin,
      takes_packed(architecture) ? blocks + ", or compressed-tensors with int of 4 bits, pack-quantized in groups" : blocks);
  const JsonNode* method = quantization.member("quant_method");
  if (!method || method->kind != JsonNode::Kind::text) return refuse(method, " has no quant_method");
  if (method->text == "fp8") return blocks_of(quantization, refuse);
  if (method->text == "compressed-tensors" && takes_packed(architecture)) return packed_of(quantization, refuse);
  return refuse(method, fmt::format(" has quant_method {}", shown(method->text)));
}

}  // namespace reloadlab::sim
