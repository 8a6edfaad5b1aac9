#include "sim/checkpoint/json_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

namespace reloadlab::sim {
namespace {

// Lets the lexer read the text while the tree builder knows how far it has come.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  const char** reached_;
};

// Receives the parser's events. Every handler returns false to stop, with error_ set.
class TreeBuilder {
 public:
  using Kind = JsonNode::Kind;

  TreeBuilder(std::string_view text, const char** reached, const Origin& origin, const JsonLimits& limits)
      : text_(text), reached_(reached), origin_(origin), limits_(limits) {}

  bool null() { return scalar({.kind = Kind::other}); }
  bool boolean(bool) { return scalar({.kind = Kind::other}); }
  bool number_integer(int64_t) { return scalar({.kind = Kind::other}); }  // the lexer calls this for negative integers only
  bool number_unsigned(uint64_t number) { return scalar({.kind = Kind::natural, .number = number}); }
  bool number_float(double, const std::string&) { return scalar({.kind = Kind::other}); }
  bool string(std::string& text) { return scalar({.kind = Kind::text, .text = std::move(text)}); }
  bool binary(nlohmann::json::binary_t&) { return false; }  // not in texts
  bool start_object(size_t) { return open(Kind::object); }
  bool start_array(size_t) { return open(Kind::array); }
  bool end_array() { return close(); }
  bool end_object() { return check_keys(open_.back()) && close(); }

  bool key(std::string& name) {
    key_offset_ = token_start();
    key_ = std::move(name);
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& exception) {
    // "[...] parse error at line 1, column 9: syntax error while ... - invalid literal; last read: '...'": the middle part.
    std::string_view what = exception.what();
    what = what.substr(0, what.find("; last read"));
    if (size_t bracket = what.find("] "); bracket != what.npos) what.remove_prefix(bracket + 2);
    if (size_t colon = what.find(": "); colon != what.npos) what.remove_prefix(colon + 2);
    std::string_view found = what.substr(0, what.find("; expected "));
    std::string_view expected = found.size() == what.size() ? "JSON" : what.substr(found.size() + 11);
    return stop(position == 0 ? 0 : position - 1, fmt::format("{}, expected {}", found, expected));
  }

  Result<JsonNode> take() {
    if (!error_.ok()) return error_;
    return std::move(*root_);
  }

 private:
  bool stop(size_t offset, std::string_view what) {
    error_ = origin_.error(offset, what);
    return false;
  }

  // Between two tokens there is nothing but white space, commas and colons.
  size_t token_start() {
    size_t start = std::min(text_.find_first_not_of(" \t\r\n,:", previous_end_), text_.size());
    previous_end_ = static_cast<size_t>(*reached_ - text_.data());
    return start;
  }

  bool place(JsonNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().children.push_back(std::move(node));
    }
    return true;
  }

  bool begin(JsonNode& node) {
    node.offset = token_start();
    node.key_offset = key_offset_;
    node.key = std::move(key_);
    key_.clear();
    if (++values_ <= limits_.values_max) return true;
    return stop(node.offset, fmt::format("one more value, expected at most {}", limits_.values_max));
  }

  bool scalar(JsonNode node) {
    if (!begin(node)) return false;
    if (node.kind != Kind::text) node.text = text_.substr(node.offset, text_.find_first_of(",]} \t\r\n", node.offset) - node.offset);
    return place(std::move(node));
  }

  bool open(Kind kind) {
    JsonNode node{.kind = kind};
    if (!begin(node)) return false;
    if (open_.size() >= limits_.depth_max) {
      return stop(node.offset, fmt::format("{} nested too deep, expected at most {} levels", json_kind_name(kind), limits_.depth_max));
    }
    open_.push_back(std::move(node));
    return true;
  }

  bool close() {
    token_start();
    JsonNode node = std::move(open_.back());
    open_.pop_back();
    return place(std::move(node));
  }

  bool check_keys(const JsonNode& object) {
    std::vector<const JsonNode*> members;
    members.reserve(object.children.size());
    for (const JsonNode& child : object.children) members.push_back(&child);
    std::stable_sort(members.begin(), members.end(), [](const JsonNode* a, const JsonNode* b) { return a->key < b->key; });
    auto twice = std::adjacent_find(members.begin(), members.end(), [](const JsonNode* a, const JsonNode* b) { return a->key == b->key; });
    if (twice == members.end()) return true;
    return stop((*std::next(twice))->key_offset, fmt::format("key {} a second time, expected each key once", shown((*twice)->key)));
  }

  std::string_view text_;
  const char** reached_;
  const Origin& origin_;
  const JsonLimits& limits_;
  size_t previous_end_ = 0;
  size_t values_ = 0;
  size_t key_offset_ = 0;
  std::string key_;
  std::vector<JsonNode> open_;  // objects and arrays that have not ended, outermost first
  std::optional<JsonNode> root_;
  Status error_;
};

}  // namespace

Status Origin::error(uint64_t offset_in_text, std::string_view what) const {
  return Status(Code::data, fmt::format("{}: offset {}: {}", file, start + offset_in_text, what));
}

const JsonNode* JsonNode::member(std::string_view name) const {
  auto found = std::find_if(children.begin(), children.end(), [&](const JsonNode& child) { return child.key == name; });
  return found == children.end() ? nullptr : &*found;
}

Result<JsonNode> parse_json_tree(std::string_view text, const Origin& origin, const JsonLimits& limits) {
  // The lexer takes a NUL byte for the end of its input and would accept whatever follows.
  if (size_t nul = text.find('\0'); nul != text.npos) return origin.error(nul, "a NUL byte, expected JSON");
  const char* reached = text.data();
  TreeBuilder builder(text, &reached, origin, limits);
  nlohmann::json::sax_parse(CountingIterator(text.data(), &reached), CountingIterator(text.data() + text.size(), &reached), &builder);
  return builder.take();
}

std::string_view json_kind_name(JsonNode::Kind kind) {
  switch (kind) {
    case JsonNode::Kind::object:
      return "an object";
    case JsonNode::Kind::array:
      return "an array";
    case JsonNode::Kind::text:
      return "a string";
    case JsonNode::Kind::natural:
      return "a natural number";
    case JsonNode::Kind::other:
      return "a number or literal";
  }
  return "nothing";
}

std::string describe(const JsonNode& node) {
  switch (node.kind) {
    case JsonNode::Kind::text:
      return shown(node.text);
    case JsonNode::Kind::natural:
    case JsonNode::Kind::other:
      return node.text.substr(0, 30);
    default:
      return std::string(json_kind_name(node.kind));
  }
}

std::string shown(std::string_view name) {
  constexpr size_t bytes_max = 60;
  bool cut = name.size() > bytes_max;
  if (cut) {
    size_t length = bytes_max;
    while (length > 0 && (static_cast<unsigned char>(name[length]) & 0xC0) == 0x80) --length;  // not inside a UTF-8 sequence
    name = name.substr(0, length);
  }
  std::string printable(name);
  for (char& c : printable)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return fmt::format("\"{}{}\"", printable, cut ? "..." : "");
}

}  // namespace reloadlab::sim
