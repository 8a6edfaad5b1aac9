#include "sim/scenario/structure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "sim/scenario/scalars.h"

namespace reloadlab::sim {
namespace {

constexpr size_t long_text_length = 4096;

// Characters a pattern lets through, beside letters and digits. Written out because std::regex recurses once a character.
bool matches(const std::string& word, Pattern pattern) {
  auto lower = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  auto plain = [&](char c) { return lower(c) || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto all = [&](std::string_view others) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [&](char c) { return plain(c) || others.find(c) != others.npos; });
  };
  switch (pattern) {
    case Pattern::any:
      return true;
    case Pattern::slug:
      return !word.empty() && lower(word[0]) &&
             std::all_of(word.begin(), word.end(), [&](char c) { return lower(c) || c == '_' || c == '.' || c == '-'; });
    case Pattern::word:
      return all("");
    case Pattern::path:
      return all(".{}-");
    case Pattern::names:
      return all(".{}-#*?");
  }
  return false;
}

std::string key_text(const Node::Entry& entry) { return entry.key.empty() ? "\"\"" : entry.key; }

// One value of the key, in one place: knows where to report.
struct Check {
  const Key& key;
  Diagnostics& diagnostics;

  bool fail(const Node& node, const std::string& suggestion = {}) const {
    const bool zeros = (key.forms & (form::integer | form::integers | form::number)) && !node.quoted && has_leading_zero(node.text);
    diagnostics.error(node.at,
                      fmt::format("{}: {}, expected {}{}", key.name, describe(node), expected(key), zeros ? ", without leading zeros" : ""),
                      suggestion);
    return false;
  }

  bool is_integer(const Node& node) const {
    const std::optional<int64_t> value = as_integer(node);
    return value && *value >= key.minimum && *value <= key.maximum;
  }

  size_t length_max() const { return key.long_text ? long_text_length : static_cast<size_t>(limits::name_length); }

  bool is_text(const Node& node) const {
    const std::optional<std::string_view> word = as_text(node);
    if (!word || word->size() > length_max()) return false;
    if (!key.allowed.empty()) return std::find(key.allowed.begin(), key.allowed.end(), *word) != key.allowed.end();
    return matches(node.text, key.pattern);
  }

  bool text_or_fail(const Node& node) const {
    if (is_text(node)) return true;
    if (node.kind == Node::Kind::scalar && node.text.size() > length_max()) {
      diagnostics.error(node.at, fmt::format("{}: {} characters, expected at most {}", key.name, node.text.size(), length_max()));
      return false;
    }
    const std::optional<std::string_view> word = as_text(node);
    return fail(node, word ? diagnostics.suggest(*word, key.allowed) : std::string());
  }

  bool scalar(const Node& node) const {
    if ((key.forms & form::boolean) && as_boolean(node)) return true;
    if ((key.forms & form::integer) && is_integer(node)) return true;
    if ((key.forms & form::number) && as_number(node)) return true;
    if (key.forms & form::text) return text_or_fail(node);
    return fail(node);
  }

  bool list(const Node& node) const {
    bool good = true;
    Key free = key;
    free.allowed.clear();
    const Check each{key.free_list ? free : key, diagnostics};
    for (const NodePtr& item : node.items) {
      if (key.forms & form::integers) {
        if (!is_integer(*item)) good = fail(*item);
      } else if (key.forms & form::texts) {
        good = each.text_or_fail(*item) && good;
      } else if (key.forms & form::objects) {
        good = check_object(*item, key.child, diagnostics) && good;
      } else {
        return fail(node);
      }
    }
    return good && ((key.forms & (form::integers | form::texts | form::objects)) != 0 || fail(node));
  }

  bool map(const Node& node) const {
    if (key.child == "nothing" && !node.entries.empty()) {
      for (const Node::Entry& entry : node.entries)
        diagnostics.error(entry.at, fmt::format("unknown key {} in {}, expected {{}}: it has no keys", key_text(entry), key.name));
      return false;
    }
    if (key.forms & form::object) return check_object(node, key.child, diagnostics);
    if (!(key.forms & (form::named | form::free_map))) return fail(node);
    bool good = true;
    for (const Node::Entry& entry : node.entries) {
      if (key.forms & form::named) {
        good = name_of(entry) && check_object(*entry.value, key.child, diagnostics) && good;
      } else if (entry.value->kind != Node::Kind::list || entry.value->items.empty()) {
        diagnostics.error(entry.value->at, fmt::format("{}: {}, expected a list of at least one value", entry.key, describe(*entry.value)));
        good = false;
      }
    }
    return good;
  }

  bool name_of(const Node::Entry& entry) const {
    if (matches(entry.key, key.pattern) && entry.key.size() <= static_cast<size_t>(limits::name_length)) return true;
    diagnostics.error(entry.at, fmt::format("{}: name {}, expected {}", key.name, entry.key, pattern_about(key.pattern)));
    return false;
  }
};

bool check_groups(const Node& node, const std::vector<Key>& keys, std::string_view object, Diagnostics& diagnostics) {
  std::map<std::string, std::vector<std::string>> members;
  std::map<std::string, std::vector<const Node::Entry*>> given;
  for (const Key& key : keys) {
    if (key.group.empty()) continue;
    members[key.group].push_back(key.name);
    if (const Node::Entry* entry = node.find(key.name)) given[key.group].push_back(entry);
  }
  bool good = true;
  for (const auto& [group, names] : members) {
    const auto& entries = given[group];
    if (entries.size() == 1) continue;
    const Position at = entries.empty() ? node.at : entries[1]->at;
    const std::string what = entries.empty() ? fmt::format("{} without its {}", object, group)
                                             : fmt::format("{} with both {} and {}", object, entries[0]->key, entries[1]->key);
    diagnostics.error(at, fmt::format("{}, expected one of {}", what, fmt::join(names, ", ")));
    good = false;
  }
  return good;
}

}  // namespace

bool check_keys(const Node& node, const std::vector<Key>& keys, std::string_view object, Diagnostics& diagnostics, bool known) {
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(key.name);
  bool good = true;
  for (const Node::Entry& entry : node.entries) {
    if (!known || std::find(names.begin(), names.end(), entry.key) != names.end()) continue;
    diagnostics.error(entry.at, fmt::format("unknown key {} in {}, expected one of {}", key_text(entry), object, fmt::join(names, ", ")),
                      diagnostics.suggest(entry.key, names));
    good = false;
  }
  for (const Key& key : keys) {
    if (!key.required || node.find(key.name)) continue;
    diagnostics.error(node.at, fmt::format("{} without {}, expected {}: {}", object, key.name, key.name, expected(key)));
    good = false;
  }
  return check_groups(node, keys, object, diagnostics) && good;
}

bool check_object(const Node& node, std::string_view object, Diagnostics& diagnostics) {
  if (node.kind != Node::Kind::map) {
    diagnostics.error(node.at, fmt::format("{}: {}, expected a map", object, describe(node)));
    return false;
  }
  const std::vector<Key> keys = keys_for(node, object);
  bool good = check_keys(node, keys, object, diagnostics, keys_are_known(node, object));
  for (const Key& key : keys)
    if (const Node::Entry* entry = node.find(key.name)) good = check_value(*entry->value, key, diagnostics) && good;
  return good;
}

bool check_value(const Node& node, const Key& key, Diagnostics& diagnostics) {
  const Check check{key, diagnostics};
  switch (node.kind) {
    case Node::Kind::null:
      return check.fail(node);
    case Node::Kind::scalar:
      return check.scalar(node);
    case Node::Kind::list:
      return check.list(node);
    case Node::Kind::map:
      return check.map(node);
  }
  return false;
}

}  // namespace reloadlab::sim
