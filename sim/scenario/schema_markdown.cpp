// The table as the key list of scenarios/README.md.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>

#include "reference/model/kind.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/schema.h"

namespace reloadlab::sim {
namespace {

std::string code(std::string_view word) { return word.empty() ? std::string() : fmt::format("`{}`", word); }

// A bar would end the table's cell.
std::string cell(std::string_view words) {
  std::string escaped;
  for (char c : words) escaped += c == '|' ? "\\|" : std::string(1, c);
  return escaped;
}

std::string default_of(const Key& key) {
  if (key.required) return "required";
  if (key.inherited) return fmt::format("`model.{}`", key.name);
  if (!key.group.empty()) return "one of these";
  return code(key.fallback);
}

void add_rows(std::string& text, const std::vector<Key>& keys) {
  text += "\n| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const Key& key : keys)
    fmt::format_to(std::back_inserter(text), "| `{}` | {} | {} | {} |\n", key.name, cell(expected(key)), default_of(key), cell(key.about));
}

void describe_kinds(std::string& text) {
  text += "\n### Layer kinds and their keys\n";
  for (const model::LayerKind* kind : model::layer_kinds()) {
    fmt::format_to(std::back_inserter(text), "\n#### `{}`: {}\n", kind->id(), kind->about());
    std::vector<Key> keys;
    for (const model::KeyInfo& info : kind->keys()) keys.push_back(key_from(info, "layer"));
    if (!keys.empty()) add_rows(text, keys);
  }
}

void add_architectures(std::string& text) {
  text += "\n### Architectures and their keys in `model`\n";
  for (const model::ArchitectureInfo& architecture : model::architectures()) {
    fmt::format_to(std::back_inserter(text), "\n#### `{}`: {}\n", architecture.id, architecture.about);
    std::vector<Key> keys;
    for (const model::KeyInfo& info : architecture.keys) keys.push_back(key_from(info, "model"));
    add_rows(text, keys);
  }
}

void add_quant(std::string& text) {
  text += "\n### Quantization methods\n\n| method | what its post-load step does |\n|---|---|\n";
  for (const model::QuantInfo& method : model::quant_methods())
    fmt::format_to(std::back_inserter(text), "| `{}` | {} |\n", method.id, cell(method.about));
}

void add_limits(std::string& text) {
  text += "\n### Limits\n\n| at most | value |\n|---|---|\n";
  for (const Limit& limit : schema_limits()) fmt::format_to(std::back_inserter(text), "| {} | {} |\n", limit.what, limit.value);
}

}  // namespace

std::string schema_markdown() {
  std::string text;
  for (const Object& object : schema_objects()) {
    std::vector<Key> own;
    for (const Key& key : schema_keys())
      if (key.object == object.name) own.push_back(key);
    if (own.empty()) continue;
    fmt::format_to(std::back_inserter(text), "{}### {}\n", text.empty() ? "" : "\n", object.title);
    add_rows(text, own);
  }
  describe_kinds(text);
  add_architectures(text);
  add_quant(text);
  add_limits(text);
  return text;
}

}  // namespace reloadlab::sim
