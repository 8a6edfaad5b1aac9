#include "sim/import/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <system_error>

#include "reference/base/nearest.h"
#include "reference/model/architecture/architecture.h"
#include "sim/checkpoint/json_tree.h"
#include "sim/import/model_types.h"
#include "sim/import/quantization.h"

namespace reloadlab::sim {
namespace {

constexpr uintmax_t bytes_most = 1 << 20;
constexpr int64_t integer_most = std::numeric_limits<int32_t>::max();  // what keys of architectures may be

Result<std::string> read_text(const std::filesystem::path& file) {
  const Origin origin{file.string()};
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(file, error);
  if (error) return origin.error(0, fmt::format("{}, expected the configuration of a model", error.message()));
  if (size > bytes_most) return origin.error(0, fmt::format("{} bytes, expected a configuration of at most {}", size, bytes_most));
  std::string text(size, '\0');
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(text.data(), static_cast<std::streamsize>(size))) return origin.error(0, "unreadable, expected a configuration");
  return text;
}

const JsonNode* given(const JsonNode& root, std::string_view name) {
  const JsonNode* node = root.member(name);
  const bool is_null = node && node->kind == JsonNode::Kind::other && node->text == "null";
  return is_null ? nullptr : node;
}

// Where the file says what the language model is: in a model with more parts that is an object of its own.
struct Sections {
  const JsonNode* root;
  const JsonNode* language;
  std::string prefix;  // for messages: "text_config."

  // Of what both may say the language model's own counts.
  const JsonNode* either(std::string_view name) const {
    const JsonNode* own = given(*language, name);
    return own ? own : given(*root, name);
  }
  // Whole models say whether the head is tied; of other keys theirs may be another part's. Newer files say all about rotary positions in
  // an object of their own.
  const JsonNode* find(std::string_view name) const {
    if (name == "tie_word_embeddings") return either(name);
    if (const JsonNode* plain = given(*language, name); plain || name != "rope_theta") return plain;
    const JsonNode* positions = given(*language, "rope_parameters");
    return positions && positions->kind == JsonNode::Kind::object ? given(*positions, name) : nullptr;
  }
};

Sections sections_of(const JsonNode& root) {
  const JsonNode* text = root.kind == JsonNode::Kind::object ? given(root, "text_config") : nullptr;
  if (!text || text->kind != JsonNode::Kind::object) return {&root, &root, ""};
  return {&root, text, "text_config."};
}

std::optional<double> number_in(const JsonNode& node) {
  if (node.kind != JsonNode::Kind::natural && node.kind != JsonNode::Kind::other) return std::nullopt;
  double number = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [last, error] = std::from_chars(node.text.data(), end, number);
  return error == std::errc() && last == end ? std::optional(number) : std::nullopt;
}

std::optional<int64_t> integer_in(const JsonNode& node, int64_t minimum) {
  const bool fits = node.kind == JsonNode::Kind::natural && node.number <= static_cast<uint64_t>(integer_most) &&
                    static_cast<int64_t>(node.number) >= minimum;
  return fits ? std::optional(static_cast<int64_t>(node.number)) : std::nullopt;
}

std::optional<Value> integers_in(const JsonNode& node, int64_t minimum) {
  if (node.kind != JsonNode::Kind::array) return std::nullopt;
  std::vector<int64_t> all;
  for (const JsonNode& each : node.children) {
    const std::optional<int64_t> one = integer_in(each, minimum);
    if (!one) return std::nullopt;
    all.push_back(*one);
  }
  return all;
}

std::optional<Value> value_in(const JsonNode& node, const model::KeyInfo& key) {
  using enum model::KeyInfo::Type;
  if (key.type == number) {
    const std::optional<double> real = number_in(node);
    return real ? std::optional<Value>(*real) : std::nullopt;
  }
  if (key.type == boolean) {
    const bool truth = node.kind == JsonNode::Kind::other && (node.text == "true" || node.text == "false");
    return truth ? std::optional<Value>(node.text == "true") : std::nullopt;
  }
  if (key.type == integers) return integers_in(node, key.minimum);
  const std::optional<int64_t> whole = integer_in(node, key.minimum);
  return whole ? std::optional<Value>(*whole) : std::nullopt;
}

std::string wanted(const model::KeyInfo& key) {
  if (key.type == model::KeyInfo::Type::number) return "a number";
  if (key.type == model::KeyInfo::Type::boolean) return "true or false";
  const std::string_view what = key.type == model::KeyInfo::Type::integers ? "a list of integers" : "an integer";
  return fmt::format("{} from {} to {}", what, key.minimum, integer_most);
}

const model::KeyInfo& key_info(const model::ArchitectureInfo& architecture, std::string_view name) {
  return *std::ranges::find(architecture.keys, name, &model::KeyInfo::name);
}

// What the architecture has no key for must be as its layers are.
Status check_refusals(const Sections& sections, const ModelType& type, const Origin& origin) {
  for (const Refusal& refusal : type.refusals) {
    const JsonNode* node = sections.find(refusal.config);
    if (!node || describe(*node) == refusal.unless) continue;
    return origin.error(node->offset,
                        fmt::format("{}{} is {}, expected {}", sections.prefix, refusal.config, describe(*node), refusal.expected));
  }
  return {};
}

Result<Value> read_value(const Sections& sections, const ConfigKey& row, const model::KeyInfo& key, const Origin& origin) {
  const JsonNode* node = sections.find(row.config);
  const std::string name = sections.prefix + std::string(row.config);
  if (!node && row.absent) return *row.absent;
  if (!node) return origin.error(sections.language->offset, fmt::format("no {}, expected {}", name, wanted(key)));
  std::optional<Value> value = value_in(*node, key);
  if (!value) return origin.error(node->offset, fmt::format("{} is {}, expected {}", name, describe(*node), wanted(key)));
  return *std::move(value);
}

Result<const ModelType*> find_type(const Sections& sections, const Origin& origin) {
  const std::vector<std::string_view> known = known_model_types();
  const std::string list = fmt::format("{}", fmt::join(known, ", ")), name = sections.prefix + "model_type";
  const JsonNode& language = *sections.language;
  const JsonNode* node = language.kind == JsonNode::Kind::object ? given(language, "model_type") : nullptr;
  if (!node || node->kind != JsonNode::Kind::text)
    return origin.error(node ? node->offset : language.offset, fmt::format("no {}, expected an object with one of {}", name, list));
  for (const ModelType& type : model_types())
    if (type.id == node->text) return &type;
  return origin.error(node->offset,
                      fmt::format("{} is {}, expected one of {}{}", name, shown(node->text), list, did_you_mean(node->text, known)));
}

Status read_quantization(const Sections& sections, const model::ArchitectureInfo& architecture, const Origin& origin, Values& values) {
  const JsonNode* quantization = sections.either("quantization_config");
  if (!quantization) return {};
  RELOADLAB_ASSIGN(const Values weights, weights_of(*quantization, architecture, origin));
  for (const auto& [key, value] : weights) values.insert_or_assign(key, value);
  return {};
}

}  // namespace

Result<ConfigModel> read_config(const std::filesystem::path& file) {
  const Origin origin{file.string()};
  RELOADLAB_ASSIGN(const std::string text, read_text(file));
  RELOADLAB_ASSIGN(const JsonNode root, parse_json_tree(text, origin, {.depth_max = 16, .values_max = size_t{1} << 16}));
  const Sections sections = sections_of(root);
  RELOADLAB_ASSIGN(const ModelType* type, find_type(sections, origin));
  RELOADLAB_TRY(check_refusals(sections, *type, origin));
  ConfigModel read{.type = std::string(type->id),
                   .is_part = sections.language != sections.root,
                   .spec = {.architecture = std::string(type->architecture)}};
  const model::ArchitectureInfo& architecture = *model::find_architecture(type->architecture);
  for (const auto keys : type->keys)
    for (const ConfigKey& row : keys) {
      RELOADLAB_ASSIGN(Value value, read_value(sections, row, key_info(architecture, row.key), origin));
      read.spec.values.insert_or_assign(std::string(row.key), std::move(value));
    }
  RELOADLAB_TRY(read_quantization(sections, architecture, origin, read.spec.values));
  for (const auto& [key, value] : type->fixed) read.spec.values.insert_or_assign(std::string(key), value);
  return read;
}

std::vector<std::string_view> known_model_types() {
  std::vector<std::string_view> ids;
  for (const ModelType& type : model_types()) ids.push_back(type.id);
  return ids;
}

}  // namespace reloadlab::sim
