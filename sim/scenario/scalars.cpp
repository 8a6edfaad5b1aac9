#include "sim/scenario/scalars.h"

#include <charconv>
#include <cmath>

namespace reloadlab::sim {
namespace {

template <class T>
std::optional<T> read_whole(const Node& node) {
  if (node.kind != Node::Kind::scalar || node.quoted || node.text.empty()) return std::nullopt;
  if (has_leading_zero(node.text)) return std::nullopt;
  T value{};
  const char* end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

bool has_leading_zero(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

std::optional<bool> as_boolean(const Node& node) {
  if (node.kind != Node::Kind::scalar || node.quoted) return std::nullopt;
  if (node.text == "true") return true;
  if (node.text == "false") return false;
  return std::nullopt;
}

std::optional<int64_t> as_integer(const Node& node) { return read_whole<int64_t>(node); }

std::optional<double> as_number(const Node& node) {
  std::optional<double> value = read_whole<double>(node);
  if (value && !std::isfinite(*value)) return std::nullopt;
  return value;
}

std::optional<std::string_view> as_text(const Node& node) {
  if (node.kind != Node::Kind::scalar) return std::nullopt;
  return node.text;
}

Node plain_scalar(std::string text, Position at) {
  Node node;
  node.kind = Node::Kind::scalar;
  node.at = at;
  node.text = std::move(text);
  return node;
}

}  // namespace reloadlab::sim
