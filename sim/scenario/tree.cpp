#include "sim/scenario/tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include "reference/base/utf8.h"
#include "sim/scenario/schema.h"

namespace reloadlab::sim {
namespace {

Position position(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// Ends the reading of a document that passes a limit. Never leaves this file.
struct Stop {
  Position at;
  std::string message;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  NodePtr root;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf({.kind = Node::Kind::null, .at = position(mark)}, anchor); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    reject_tag(mark, tag);
    if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return (c < ' ' && c != '\n' && c != '\t') || c == 0x7F; }))
      diagnostics_.error(position(mark), "a control character, expected printable text");
    leaf({.kind = Node::Kind::scalar, .at = position(mark), .text = value, .quoted = tag == "!"}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stop{position(mark), "an alias of a node that contains it, expected a tree"};
    const Node& target = *found->second;
    aliases_ += 1 + target.aliases;
    if (aliases_ > limits::aliases) throw Stop{position(mark), fmt::format("more than {} alias expansions in one file", limits::aliases)};
    check_depth(target.depth, position(mark));
    attach(found->second, 1 + target.aliases, position(mark));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(Node::Kind::list, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(Node::Kind::map, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    std::shared_ptr<Node> node;
    YAML::anchor_t anchor;
    std::optional<Node::Entry> key;  // map: the key that waits for its value
    std::map<std::string, Position> keys;
  };

  void reject_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      diagnostics_.error(position(mark), fmt::format("tag {}, expected a value without a tag", tag));
  }

  void check_depth(int below, Position at) {
    if (static_cast<int>(open_.size()) + below > limits::depth)
      throw Stop{at, fmt::format("nested more than {} levels deep", limits::depth)};
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    reject_tag(mark, tag);
    check_depth(1, position(mark));
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->at = position(mark);
    open_.push_back({std::move(node), anchor, std::nullopt, {}});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.anchor != YAML::NullAnchor) anchors_[done.anchor] = done.node;
    attach(done.node, done.node->aliases, done.node->at);
  }

  void leaf(Node node, YAML::anchor_t anchor) {
    auto made = std::make_shared<const Node>(std::move(node));
    if (anchor != YAML::NullAnchor) anchors_[anchor] = made;
    attach(made, 0, made->at);
  }

  void attach(const NodePtr& value, int64_t aliases, Position at) {
    if (open_.empty()) {
      root = value;
      return;
    }
    Open& top = open_.back();
    top.node->depth = std::max(top.node->depth, value->depth + 1);
    top.node->aliases += aliases;
    if (top.node->kind == Node::Kind::list) {
      top.node->items.push_back(value);
    } else if (!top.key) {
      top.key = Node::Entry{key_text(*value, at), at, value->kind == Node::Kind::scalar ? value : nullptr};
    } else {
      add_entry(top, *std::exchange(top.key, std::nullopt), value);
    }
  }

  std::string key_text(const Node& key, Position at) {
    if (key.kind == Node::Kind::scalar) return key.text;
    diagnostics_.error(at, fmt::format("{} as a key, expected a word", describe(key)));
    return {};
  }

  void add_entry(Open& map, Node::Entry entry, const NodePtr& value) {
    if (!entry.value) return;  // the key was no word, and has been reported
    entry.value = value;
    auto [first, fresh] = map.keys.try_emplace(entry.key, entry.at);
    if (fresh) {
      map.node->entries.push_back(std::move(entry));
    } else {
      diagnostics_.error(entry.at,
                         fmt::format("key {} a second time, expected each key once (first on line {})", entry.key, first->second.line));
    }
  }

  Diagnostics& diagnostics_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, NodePtr> anchors_;
  int64_t aliases_ = 0;
};

NodePtr read_document(std::string_view text, Diagnostics& diagnostics) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  TreeBuilder builder(diagnostics);
  if (!parser.HandleNextDocument(builder) || !builder.root) {
    diagnostics.error({}, "an empty file, expected a scenario");
    return nullptr;
  }
  TreeBuilder second(diagnostics);
  if (parser.HandleNextDocument(second) && second.root)
    diagnostics.error(second.root->at, "a second document, expected one scenario a file");
  return builder.root;
}

}  // namespace

const Node::Entry* Node::find(std::string_view key) const {
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry;
  return nullptr;
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
    case Node::Kind::scalar:
      break;
  }
  const std::string shown = node.text.size() > 60 ? node.text.substr(0, 57) + "..." : node.text;
  return node.quoted ? fmt::format("\"{}\"", shown) : shown;
}

namespace {

Position mark_of(std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, at);
  const size_t line_start = before.rfind('\n') + 1;  // 0 in the first line
  return {1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')), 1 + static_cast<int>(at - line_start)};
}

// Where the text stops being UTF-8; its size when it is.
size_t utf8_until(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = utf8_length(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

}  // namespace

NodePtr load_tree(std::string_view text, Diagnostics& diagnostics) {
  if (text.size() > static_cast<size_t>(limits::file_bytes)) {
    diagnostics.error({}, fmt::format("a file of {} bytes, expected at most {}", text.size(), limits::file_bytes));
    return nullptr;
  }
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    const int line = 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n'));
    diagnostics.error({line, 1}, "a zero byte, expected text");
    return nullptr;
  }
  if (const size_t broken = utf8_until(text); broken != text.size()) {
    diagnostics.error(mark_of(text, broken), "a byte that is no UTF-8, expected text");
    return nullptr;
  }
  try {
    return read_document(text, diagnostics);
  } catch (const Stop& stop) {
    diagnostics.error(stop.at, stop.message);
  } catch (const YAML::Exception& error) {
    diagnostics.error(position(error.mark), fmt::format("not YAML: {}", error.msg));
  }
  return nullptr;
}

}  // namespace reloadlab::sim
