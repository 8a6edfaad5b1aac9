#include "sim/scenario/matrix.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "sim/scenario/spelling.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

// One list that multiplies.
struct Axis {
  std::string name;               // in labels
  std::vector<std::string> path;  // empty: world or ranks
  Position at;
  std::vector<NodePtr> values;
};

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> words(1);
  for (char c : path) {
    if (c == '.') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

// A value in a label: text as it is, maps and lists without blanks.
std::string label_of(const Node& node) {
  std::string label;
  auto add = [&](const std::string& part) { label += (label.empty() ? "" : ",") + part; };
  switch (node.kind) {
    case Node::Kind::null:
      return "none";
    case Node::Kind::scalar:
      return node.text;
    case Node::Kind::list:
      for (const NodePtr& item : node.items) add(label_of(*item));
      return "[" + label + "]";
    case Node::Kind::map:
      for (const Node::Entry& entry : node.entries) add(entry.key + ":" + label_of(*entry.value));
      return "{" + label + "}";
  }
  return label;
}

std::vector<NodePtr> world_values(const Node& root, std::string_view key, Diagnostics& diagnostics) {
  const Node::Entry* world = root.find("world");
  const Node::Entry* entry = world ? world->value->find(key) : nullptr;
  if (!entry) return {};
  std::vector<NodePtr> values = entry->value->kind == Node::Kind::list ? entry->value->items : std::vector{entry->value};
  if (values.empty()) diagnostics.error(entry->value->at, fmt::format("{}: an empty list, expected at least one value", key));
  std::set<std::string> seen;
  for (const NodePtr& value : values)
    if (!seen.insert(value->text).second)
      diagnostics.error(value->at, fmt::format("{}: {} a second time, expected each value once", key, value->text));
  return values;
}

constexpr std::array varied_keys = {"model", "models", "series", "timing", "checkpoints", "record", "steps", "laws", "expect", "limits"};

bool can_vary(const Axis& axis, Diagnostics& diagnostics) {
  if (std::find(varied_keys.begin(), varied_keys.end(), axis.path[0]) != varied_keys.end()) return true;
  const std::string what = fmt::format("vary: a path that begins with {}, expected one of {} (lists in world multiply as they are)",
                                       axis.path[0], fmt::join(varied_keys, ", "));
  diagnostics.error(axis.at, what, diagnostics.suggest(axis.path[0], varied_keys));
  return false;
}

std::vector<Axis> varied_axes(const Node& root, Diagnostics& diagnostics) {
  std::vector<Axis> axes;
  const Node::Entry* vary = root.find("vary");
  if (!vary) return axes;
  for (const Node::Entry& entry : vary->value->entries) {
    Axis axis{.path = split_path(entry.key), .at = entry.at, .values = entry.value->items};
    axis.name = axis.path.back();
    if (can_vary(axis, diagnostics)) axes.push_back(std::move(axis));
  }
  for (Axis& axis : axes) {
    const std::string shared = axis.path.back();
    const auto same = std::count_if(axes.begin(), axes.end(), [&](const Axis& other) { return other.path.back() == shared; });
    if (same > 1) axis.name = fmt::format("{}", fmt::join(axis.path, "."));
  }
  return axes;
}

void add_axis(std::vector<Variant>& variants, const Axis& axis, Diagnostics& diagnostics) {
  std::vector<Variant> product;
  for (const Variant& variant : variants) {
    for (const NodePtr& value : axis.values) {
      Variant next = variant;
      next.tree = with_value(variant.tree, axis.path, value, axis.at, diagnostics);
      next.label += (next.label.empty() ? "" : ",") + axis.name + "=" + label_of(*value);
      if (next.tree) product.push_back(std::move(next));
    }
  }
  variants = std::move(product);
}

// A list in world: each variant with each of its values, which `take` gives it.
void add_world_axis(std::vector<Variant>& variants, const std::string& label, const std::vector<NodePtr>& values,
                    void (*take)(Variant& variant, const std::string& value)) {
  if (values.empty()) return;
  std::vector<Variant> product;
  for (const Variant& variant : variants)
    for (const NodePtr& value : values) {
      Variant& next = product.emplace_back(variant);
      take(next, value->text);
      if (values.size() > 1) next.label += (next.label.empty() ? "" : ",") + label + "=" + value->text;
    }
  variants = std::move(product);
}

std::vector<Variant> world_variants(const NodePtr& root, Diagnostics& diagnostics) {
  std::vector<Variant> variants{{.tree = root}};
  add_world_axis(variants, "world", world_values(*root, "kind", diagnostics),
                 [](Variant& variant, const std::string& value) { variant.world = *world_from_name(value); });
  add_world_axis(variants, "ranks", world_values(*root, "ranks", diagnostics),
                 [](Variant& variant, const std::string& value) { variant.ranks = static_cast<int>(std::stoll(value)); });
  add_world_axis(variants, "allocator", world_values(*root, "allocator", diagnostics),
                 [](Variant& variant, const std::string& value) { variant.allocator = unspell(allocator_spellings, value); });
  add_world_axis(variants, "delays", world_values(*root, "delays", diagnostics),
                 [](Variant& variant, const std::string& value) { variant.delays = std::stoull(value); });
  return variants;
}

}  // namespace

std::vector<Variant> expand_matrix(const NodePtr& root, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.count();
  std::vector<Variant> variants = world_variants(root, diagnostics);
  const std::vector<Axis> axes = varied_axes(*root, diagnostics);
  size_t count = variants.size();
  for (const Axis& axis : axes) {
    count *= axis.values.size();
    if (count <= static_cast<size_t>(limits::cases)) continue;
    diagnostics.error(axis.at, fmt::format("the lists multiply into more than {} cases", limits::cases));
    return {};
  }
  for (const Axis& axis : axes) add_axis(variants, axis, diagnostics);
  if (variants.size() > static_cast<size_t>(limits::cases))
    diagnostics.error(root->at, fmt::format("the lists multiply into more than {} cases", limits::cases));
  return diagnostics.count() == errors_before ? variants : std::vector<Variant>();
}

}  // namespace reloadlab::sim
