#pragma once
// Holds a tree against the table: known keys, required keys, forms, bounds, spellings. What passed can be read without asking
// again; names and their meaning are checked later (bind_*.h).
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/schema.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {

// Both return whether nothing was wrong at or below the node, and report what was.
bool check_object(const Node& node, std::string_view object, Diagnostics& diagnostics);
bool check_value(const Node& node, const Key& key, Diagnostics& diagnostics);
// The keys of `node` alone: none unknown (unless `known` is false), none missing, one of each group. The values are not looked at.
// REQUIRES a map.
bool check_keys(const Node& node, const std::vector<Key>& keys, std::string_view object, Diagnostics& diagnostics, bool known = true);

// Rows of an object as this node selects them: for a layer its kind's keys, for a model its architecture's.
std::vector<Key> keys_for(const Node& node, std::string_view object);
// False where the node selects something that does not exist, so that nobody can tell which further keys are right.
bool keys_are_known(const Node& node, std::string_view object);

// A checked map, read through the table: absent keys give the table's default.
class Reader {
 public:
  // REQUIRES that check_object(node, object) passed; both outlive the reader.
  Reader(const Node& node, std::string_view object) : node_(node), keys_(keys_for(node, object)) {}

  bool has(std::string_view key) const { return node_.find(key) != nullptr; }
  const Node* node(std::string_view key) const;  // null when absent
  Position at(std::string_view key) const;       // of the value; of the map when absent
  int64_t integer(std::string_view key) const;
  std::string text(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;  // one text counts as a list of one
  Value value(std::string_view key) const;                     // of a key from model::KeyInfo
  const Key& row(std::string_view key) const;
  const std::vector<Key>& rows() const { return keys_; }

 private:
  Node fallback(const Key& key) const;
  const Node& node_;
  std::vector<Key> keys_;
};

// A list of texts or of integers in a checked node.
std::vector<std::string> texts_of(const Node& node);
std::vector<int64_t> integers_of(const Node& node);

}  // namespace reloadlab::sim
