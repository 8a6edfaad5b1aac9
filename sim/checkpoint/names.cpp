#include "sim/checkpoint/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "reference/base/nearest.h"

namespace reloadlab::sim {
namespace {

// Encoders of the BERT family, as transformers stores them; the names on the right are those of the architecture "bert".
constexpr NameRule bert_rules[] = {
    {"embeddings.word_embeddings.{w}", "embeddings.word.{w}"},
    {"embeddings.position_embeddings.{w}", "embeddings.position.{w}"},
    {"embeddings.token_type_embeddings.{w}", "embeddings.token_type.{w}"},
    {"embeddings.LayerNorm.{w}", "embeddings.norm.{w}"},
    {"encoder.layer.{i}.attention.self.query.{w}", "blocks.{i}.q_proj.{w}"},
    {"encoder.layer.{i}.attention.self.key.{w}", "blocks.{i}.k_proj.{w}"},
    {"encoder.layer.{i}.attention.self.value.{w}", "blocks.{i}.v_proj.{w}"},
    {"encoder.layer.{i}.attention.output.dense.{w}", "blocks.{i}.attention_output.{w}"},
    {"encoder.layer.{i}.attention.output.LayerNorm.{w}", "blocks.{i}.attention_norm.{w}"},
    {"encoder.layer.{i}.intermediate.dense.{w}", "blocks.{i}.up.{w}"},
    {"encoder.layer.{i}.output.dense.{w}", "blocks.{i}.down.{w}"},
    {"encoder.layer.{i}.output.LayerNorm.{w}", "blocks.{i}.output_norm.{w}"},
    {"pooler.dense.{w}", "pooler.{w}"},
};
// Positions count from zero to the longest sequence in every such file; our models compute them.
constexpr std::string_view bert_ignored[] = {"embeddings.position_ids"};

constexpr std::array name_maps = {
    NameMap{.id = "", .rules = {}, .ignored = {}},
    NameMap{.id = "bert", .rules = bert_rules, .ignored = bert_ignored},
};

struct Captures {
  std::string_view digits, word;
};

constexpr std::string_view digits_mark = "{i}", word_mark = "{w}";

std::string_view digits_of(std::string_view text) { return text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size())); }
std::string_view word_of(std::string_view text) { return text.substr(0, std::min(text.find('.'), text.size())); }

std::optional<Captures> match(std::string_view pattern, std::string_view name) {
  Captures captures;
  while (!pattern.empty()) {
    if (pattern.starts_with(digits_mark) || pattern.starts_with(word_mark)) {
      bool digits = pattern.starts_with(digits_mark);
      std::string_view taken = digits ? digits_of(name) : word_of(name);
      if (taken.empty()) return std::nullopt;
      (digits ? captures.digits : captures.word) = taken;
      pattern.remove_prefix(digits_mark.size());
      name.remove_prefix(taken.size());
    } else {
      if (!name.starts_with(pattern.front())) return std::nullopt;
      pattern.remove_prefix(1);
      name.remove_prefix(1);
    }
  }
  return name.empty() ? std::optional(captures) : std::nullopt;
}

void replace(std::string& text, std::string_view mark, std::string_view by) {
  if (size_t at = text.find(mark); at != text.npos) text.replace(at, mark.size(), by);
}

}  // namespace

std::optional<std::string> NameMap::delivery_name(std::string_view stored) const {
  if (id.empty()) return std::string(stored);
  for (const NameRule& rule : rules) {
    std::optional<Captures> captures = match(rule.stored, stored);
    if (!captures) continue;
    std::string name(rule.delivered);
    replace(name, digits_mark, captures->digits);
    replace(name, word_mark, captures->word);
    return name;
  }
  return std::nullopt;
}

bool NameMap::ignores(std::string_view stored) const {
  return std::any_of(ignored.begin(), ignored.end(), [&](std::string_view pattern) { return match(pattern, stored).has_value(); });
}

Result<NameMap> find_name_map(std::string_view id) {
  for (const NameMap& map : name_maps)
    if (map.id == id) return map;
  std::vector<std::string_view> ids = name_map_ids();
  return Status(Code::data,
                fmt::format("no name map is called \"{}\", expected one of {}{}", id, fmt::join(ids, ", "), did_you_mean(id, ids)));
}

std::vector<std::string_view> name_map_ids() {
  std::vector<std::string_view> ids;
  for (const NameMap& map : name_maps)
    if (!map.id.empty()) ids.push_back(map.id);
  return ids;
}

}  // namespace reloadlab::sim
