#include <algorithm>

#include "reference/base/check.h"
#include "reference/model/architecture/architecture.h"
#include "reference/model/kind.h"
#include "sim/scenario/scalars.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

std::vector<std::string> split_list(const std::string& written) {
  std::vector<std::string> items;
  std::string item;
  for (char c : written) {
    if (c == '[' || c == ' ') continue;
    if (c != ',' && c != ']') {
      item += c;
    } else if (!item.empty()) {
      items.push_back(std::exchange(item, {}));
    }
  }
  return items;
}

std::string_view chosen(const Node& node, std::string_view key) {
  const Node::Entry* entry = node.kind == Node::Kind::map ? node.find(key) : nullptr;
  return entry ? std::string_view(entry->value->text) : std::string_view();
}

}  // namespace

std::vector<Key> keys_for(const Node& node, std::string_view object) {
  std::vector<Key> keys = keys_of(object);
  if (object == "layer") {
    if (const model::LayerKind* kind = model::find_layer_kind(chosen(node, "kind")))
      for (const model::KeyInfo& info : kind->keys()) keys.push_back(key_from(info, object));
  } else if (object == "model") {
    const model::ArchitectureInfo* architecture = model::find_architecture(chosen(node, "architecture"));
    if (architecture) keys = keys_with(*architecture);
  }
  return keys;
}

bool keys_are_known(const Node& node, std::string_view object) {
  if (object == "layer") return model::find_layer_kind(chosen(node, "kind")) != nullptr;
  if (object != "model" || !node.find("architecture")) return true;
  const std::string_view architecture = chosen(node, "architecture");
  return architecture == "layers" || model::find_architecture(architecture) != nullptr;
}

const Key& Reader::row(std::string_view key) const {
  auto found = std::find_if(keys_.begin(), keys_.end(), [&](const Key& row) { return row.name == key; });
  RELOADLAB_CHECK(found != keys_.end(), "the table has no key " + std::string(key));
  return *found;
}

const Node* Reader::node(std::string_view key) const {
  const Node::Entry* entry = node_.find(row(key).name);
  return entry ? entry->value.get() : nullptr;
}

Position Reader::at(std::string_view key) const {
  const Node* found = node(key);
  return found ? found->at : node_.at;
}

Node Reader::fallback(const Key& key) const {
  if (key.fallback.empty() || key.fallback[0] != '[') return plain_scalar(key.fallback == "\"\"" ? "" : key.fallback, node_.at);
  Node list;
  list.kind = Node::Kind::list;
  for (const std::string& item : split_list(key.fallback)) list.items.push_back(std::make_shared<const Node>(plain_scalar(item)));
  return list;
}

int64_t Reader::integer(std::string_view key) const {
  const Node* found = node(key);
  const std::optional<int64_t> value = as_integer(found ? *found : fallback(row(key)));
  RELOADLAB_CHECK(value, std::string(key));
  return *value;
}

std::string Reader::text(std::string_view key) const {
  const Node* found = node(key);
  return found ? found->text : fallback(row(key)).text;
}

std::vector<std::string> Reader::texts(std::string_view key) const {
  const Node* found = node(key);
  return texts_of(found ? *found : fallback(row(key)));
}

Value Reader::value(std::string_view key) const {
  const Key& entry = row(key);
  const Node* found = node(key);
  const Node read = found ? *found : fallback(entry);
  if (entry.forms & form::boolean) return *as_boolean(read);
  if (entry.forms & form::integer) return *as_integer(read);
  if (entry.forms & form::number) return *as_number(read);
  if (entry.forms & form::integers) return integers_of(read);
  return read.text;
}

std::vector<std::string> texts_of(const Node& node) {
  if (node.kind == Node::Kind::scalar) return {node.text};
  std::vector<std::string> words;
  for (const NodePtr& item : node.items) words.push_back(item->text);
  return words;
}

std::vector<int64_t> integers_of(const Node& node) {
  std::vector<int64_t> values;
  if (node.kind == Node::Kind::scalar) values.push_back(*as_integer(node));
  for (const NodePtr& item : node.items) values.push_back(*as_integer(*item));
  return values;
}

}  // namespace reloadlab::sim
