#pragma once
// A YAML document as an immutable tree with positions. Built from the parser's events, so that limits hold while the text is
// read and not after: nesting, aliases and repeated keys are judged before anything is kept.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/diagnostics.h"

namespace reloadlab::sim {

struct Node;
using NodePtr = std::shared_ptr<const Node>;

struct Node {
  enum class Kind { null, scalar, list, map };
  struct Entry {
    std::string key;
    Position at;  // of the key
    NodePtr value;
  };
  Kind kind = Kind::null;
  Position at;
  std::string text;            // scalar
  bool quoted = false;         // scalar: written in quotes, so it is text whatever it looks like
  std::vector<NodePtr> items;  // list
  std::vector<Entry> entries;  // map, in file order, keys unique
  int depth = 1;               // levels below and including this one, aliases expanded
  int64_t aliases = 0;         // aliases expanded at or below this node

  const Entry* find(std::string_view key) const;
};

// "a map", "a list", "text", "nothing": what a message calls the node.
std::string describe(const Node& node);

// The only document of the text, within the limits of schema.h; null after reporting when there is none.
NodePtr load_tree(std::string_view text, Diagnostics& diagnostics);

// The tree with the node at `path` (keys and list indices) put in place; a last key that is absent is added. Everything off the
// path is shared with `root`. Null after reporting at `at` when the path leads nowhere.
NodePtr with_value(const NodePtr& root, const std::vector<std::string>& path, const NodePtr& value, Position at, Diagnostics& diagnostics);

}  // namespace reloadlab::sim
