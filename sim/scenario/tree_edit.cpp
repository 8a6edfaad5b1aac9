#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "sim/scenario/tree.h"

namespace reloadlab::sim {
namespace {

std::optional<size_t> index_of(const std::string& word, size_t size) {
  size_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc() || end != word.data() + word.size() || index >= size) return std::nullopt;
  return index;
}

struct Edit {
  const std::vector<std::string>& path;
  const NodePtr& value;
  Position at;
  Diagnostics& diagnostics;

  NodePtr apply(const NodePtr& node, size_t level) const {
    if (level == path.size()) return value;
    if (node->kind == Node::Kind::map) return in_map(*node, level);
    if (node->kind == Node::Kind::list) return in_list(*node, level);
    return fail(level, fmt::format("which is {}, not a map", describe(*node)), {});
  }

  NodePtr in_list(const Node& list, size_t level) const {
    const std::optional<size_t> index = index_of(path[level], list.items.size());
    if (!index) return fail(level, fmt::format("a list of {}: expected an index from 0", list.items.size()), {});
    NodePtr inner = apply(list.items[*index], level + 1);
    if (!inner) return nullptr;
    auto copy = std::make_shared<Node>(list);
    copy->items[*index] = inner;
    return copy;
  }

  NodePtr in_map(const Node& map, size_t level) const {
    const bool last = level + 1 == path.size();
    const Node::Entry* entry = map.find(path[level]);
    if (!entry && !last) return fail(level, "where there is no such key", diagnostics.suggest(path[level], keys(map)));
    NodePtr inner = last ? value : apply(entry->value, level + 1);
    if (!inner) return nullptr;
    auto copy = std::make_shared<Node>(map);
    if (entry) {
      copy->entries[static_cast<size_t>(entry - map.entries.data())].value = inner;
    } else {
      copy->entries.push_back({path[level], at, inner});
    }
    return copy;
  }

  static std::vector<std::string> keys(const Node& map) {
    std::vector<std::string> names;
    for (const Node::Entry& entry : map.entries) names.push_back(entry.key);
    return names;
  }

  NodePtr fail(size_t level, const std::string& why, const std::string& suggestion) const {
    std::string prefix;
    for (size_t i = 0; i < level; ++i) prefix += (i ? "." : "") + path[i];
    diagnostics.error(at, fmt::format("\"{}\" looked up in {}, {}", path[level], prefix.empty() ? "the file" : prefix, why), suggestion);
    return nullptr;
  }
};

}  // namespace

NodePtr with_value(const NodePtr& root, const std::vector<std::string>& path, const NodePtr& value, Position at, Diagnostics& diagnostics) {
  return Edit{path, value, at, diagnostics}.apply(root, 0);
}

}  // namespace reloadlab::sim
