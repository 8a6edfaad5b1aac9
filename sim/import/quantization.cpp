#include "sim/import/quantization.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

constexpr uint64_t block = 128;

std::string text_of(const JsonNode& node, std::string_view name) {
  const JsonNode* member = node.member(name);
  return member && member->kind == JsonNode::Kind::text ? member->text : std::string();
}

bool is_block(const JsonNode& node) {
  return node.kind == JsonNode::Kind::array && node.children.size() == 2 && std::ranges::all_of(node.children, [](const JsonNode& size) {
           return size.kind == JsonNode::Kind::natural && size.number == block;
         });
}

// A checkpoint of compressed-tensors whose weights are in no group of quantized ones: its cache of keys and values has scales.
bool leaves_weights_alone(const JsonNode& quantization) {
  const JsonNode *cache = quantization.member("kv_cache_scheme"), *groups = quantization.member("config_groups");
  return text_of(quantization, "quant_method") == "compressed-tensors" && cache && cache->kind == JsonNode::Kind::object &&
         (!groups || (groups->kind == JsonNode::Kind::object && groups->children.empty()));
}

Status check_blocks(const JsonNode& quantization, const Origin& origin) {
  const std::string expected = fmt::format("expected fp8 with weight_block_size [{0}, {0}]", block);
  const auto refuse = [&](const JsonNode* at, std::string_view what) {
    return origin.error(at ? at->offset : quantization.offset, fmt::format("quantization_config{}, {}", what, expected));
  };
  const JsonNode *method = quantization.member("quant_method"), *format = quantization.member("fmt");
  if (!method || method->kind != JsonNode::Kind::text) return refuse(method, " has no quant_method");
  if (method->text != "fp8") return refuse(method, fmt::format(" has quant_method {}", shown(method->text)));
  if (format && text_of(quantization, "fmt") != "e4m3") return refuse(format, " has a fmt that is not \"e4m3\"");
  const JsonNode* size = quantization.member("weight_block_size");
  if (!size) return refuse(nullptr, " has no weight_block_size");
  return is_block(*size) ? Status() : refuse(size, " has another weight_block_size");
}

}  // namespace

Result<std::string> expert_scales_of(const JsonNode& quantization, const model::ArchitectureInfo& architecture, const Origin& origin) {
  if (quantization.kind != JsonNode::Kind::object)
    return origin.error(quantization.offset, fmt::format("quantization_config is {}, expected an object", describe(quantization)));
  if (leaves_weights_alone(quantization)) return std::string("none");
  if (!std::ranges::count(architecture.keys, "expert_scales", &model::KeyInfo::name))
    return origin.error(quantization.offset,
                        fmt::format("quantization_config is an object, expected weights that are not quantized: architecture {} has no "
                                    "experts, which alone are taken with scales",
                                    architecture.id));
  RELOADLAB_TRY(check_blocks(quantization, origin));
  return std::string("block");
}

}  // namespace reloadlab::sim
