// Reads and writes expectation files: same positions and same kind of messages as scenario files.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <span>

#include "sim/campaign/expectation.h"
#include "sim/campaign/rules.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kFileKeys[] = {"reloadlab", "scenario", "known"};
constexpr std::string_view kEntryKeys[] = {"candidate", "law", "rule", "variants", "worlds", "execution", "step", "tensor"};

class Reading {
 public:
  Reading(const ExpectationNames& names, Diagnostics& errors) : names_(names), errors_(errors) {}

  ExpectationFile file(const Node& root) {
    ExpectationFile file;
    if (!is(root, Node::Kind::map, "a map")) return file;
    check_keys(root, kFileKeys);
    if (const Node* version = required(root, "reloadlab"); version && integer(*version) != 1)
      errors_.error(version->at, "this program reads schema version 1");
    if (const Node* name = required(root, "scenario")) file.scenario = text(*name);
    if (!names_.scenario.empty() && !file.scenario.empty() && file.scenario != names_.scenario)
      errors_.error(root.at, fmt::format("this file is for scenario \"{}\", its name is for \"{}\"", file.scenario, names_.scenario));
    if (const Node* known = required(root, "known"); known && is(*known, Node::Kind::list, "a list"))
      for (const NodePtr& item : known->items) entry(*item, file);
    return file;
  }

 private:
  bool is(const Node& node, Node::Kind kind, std::string_view wanted) {
    if (node.kind == kind) return true;
    errors_.error(node.at, fmt::format("expected {}, found {}", wanted, describe(node)));
    return false;
  }

  void check_keys(const Node& node, std::span<const std::string_view> keys) {
    for (const Node::Entry& one : node.entries)
      if (std::find(keys.begin(), keys.end(), one.key) == keys.end())
        errors_.error(one.at, fmt::format("unknown key \"{}\"", one.key), errors_.suggest(one.key, keys));
  }

  const Node* required(const Node& node, std::string_view key) {
    const Node::Entry* found = node.find(key);
    if (!found) errors_.error(node.at, fmt::format("key \"{}\" is missing", key));
    return found ? found->value.get() : nullptr;
  }

  std::string text(const Node& node) {
    if (!is(node, Node::Kind::scalar, "text")) return {};
    if (node.text.empty()) errors_.error(node.at, "expected text, found an empty one");
    return node.text;
  }

  int integer(const Node& node) {
    int value = -1;
    const char* end = node.text.data() + node.text.size();
    if (is(node, Node::Kind::scalar, "an integer") && std::from_chars(node.text.data(), end, value).ptr != end)
      errors_.error(node.at, fmt::format("expected an integer, found \"{}\"", node.text));
    return value;
  }

  std::string one_of(const Node& node, std::string_view noun, const std::vector<std::string>& allowed) {
    std::string name = text(node);
    if (!name.empty() && !allowed.empty() && std::find(allowed.begin(), allowed.end(), name) == allowed.end())
      errors_.error(node.at, fmt::format("no {} is called \"{}\"", noun, name), errors_.suggest(name, allowed));
    return name;
  }

  std::string rule_in(const Node& node) {
    std::string id = text(node);
    if (!id.empty() && id != kUnexplained && !is_rule(id))
      errors_.error(node.at, fmt::format("no rule or bug is called \"{}\"", id), errors_.suggest(id, rule_ids()));
    return id;
  }

  std::string execution_in(const Node& node) {
    std::string label = text(node);
    const std::string_view lasting = lasting_execution(label);
    if (lasting != label) errors_.error(node.at, fmt::format("\"{}\" names what the run's seed draws, expected \"{}\"", label, lasting));
    return label;
  }

  std::string tensor_in(const Node& node, std::string_view execution) {
    if (is_drawn(lasting_execution(execution)))
      errors_.error(node.at, "which tensor a fault shows in is drawn with the run's seed; leave it out");
    return text(node);
  }

  void entry(const Node& node, ExpectationFile& file) {
    if (!is(node, Node::Kind::map, "a map")) return;
    check_keys(node, kEntryKeys);
    Expectation one;
    if (const Node* candidate = required(node, "candidate")) one.candidate = text(*candidate);
    if (const Node* law = required(node, "law")) one.law = one_of(*law, "law", names_.laws);
    if (const Node* rule = required(node, "rule")) one.rule = rule_in(*rule), one.rule_at = rule->at;
    if (const Node* execution = required(node, "execution")) one.first.execution = execution_in(*execution);
    if (const Node* step = required(node, "step")) one.first.step = integer(*step);
    if (const Node::Entry* tensor = node.find("tensor")) one.first.tensor = tensor_in(*tensor->value, one.first.execution);
    if (const Node::Entry* list = node.find("variants")) variants(*list->value, one);
    if (const Node::Entry* list = node.find("worlds")) worlds(*list->value, one);
    claim(node, one);
    file.known.push_back(std::move(one));
  }

  void variants(const Node& node, Expectation& one) {
    if (!is(node, Node::Kind::list, "a list")) return;
    if (node.items.empty()) errors_.error(node.at, "an empty list covers no case; leave the key out to cover all");
    for (const NodePtr& item : node.items) one.variants.push_back(one_of(*item, "variant of this scenario", names_.variants));
  }

  void worlds(const Node& node, Expectation& one) {
    if (!is(node, Node::Kind::list, "a list")) return;
    if (node.items.empty()) errors_.error(node.at, "an empty list covers no world; leave the key out to cover all");
    for (const NodePtr& item : node.items) {
      const std::string world = text(*item);
      if (!world_from_name(world))
        errors_.error(item->at, fmt::format("no world is called \"{}\", expected one of {}", world, fmt::join(world_names(), ", ")),
                      errors_.suggest(world, world_names()));
      if (std::ranges::find(one.worlds, world) != one.worlds.end())
        errors_.error(item->at, fmt::format("world {} a second time, expected each once", world));
      else
        one.worlds.push_back(world);
    }
  }

  // One failure has one entry: an entry for all variants leaves no room for another, nor does one for all worlds.
  void claim(const Node& node, const Expectation& one) {
    bool repeated = false;
    for (const std::string& world : one.worlds.empty() ? world_names() : one.worlds) {
      auto& taken = claimed_[one.candidate + '\n' + one.law + '\n' + world];
      repeated |= one.variants.empty() ? !taken.empty() : taken.contains("");
      for (const std::string& variant : one.variants) repeated |= !taken.insert(variant).second;
      if (one.variants.empty()) taken.insert("");
    }
    if (repeated) errors_.error(node.at, fmt::format("another entry already covers {} and {} here", one.candidate, one.law));
  }

  const ExpectationNames& names_;
  Diagnostics& errors_;
  std::map<std::string, std::set<std::string>> claimed_;  // candidate, law and world → variants; "": all
};

void write_entry(YAML::Emitter& out, const Expectation& one) {
  out << YAML::Flow << YAML::BeginMap;
  out << YAML::Key << "candidate" << YAML::Value << one.candidate;
  out << YAML::Key << "law" << YAML::Value << one.law;
  out << YAML::Key << "rule" << YAML::Value << one.rule;
  if (!one.variants.empty()) out << YAML::Key << "variants" << YAML::Value << YAML::Flow << one.variants;
  if (!one.worlds.empty()) out << YAML::Key << "worlds" << YAML::Value << YAML::Flow << one.worlds;
  out << YAML::Key << "execution" << YAML::Value << one.first.execution;
  out << YAML::Key << "step" << YAML::Value << one.first.step;
  if (!one.first.tensor.empty()) out << YAML::Key << "tensor" << YAML::Value << one.first.tensor;
  out << YAML::EndMap;
}

}  // namespace

Result<ExpectationFile> parse_expectations(std::string_view text, const std::string& file_name, const ExpectationNames& names) {
  Diagnostics errors(file_name);
  const NodePtr root = load_tree(text, errors);
  ExpectationFile file;
  if (root) file = Reading(names, errors).file(*root);
  RELOADLAB_TRY(errors.status());
  return file;
}

std::string expectations_text(const ExpectationFile& file) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "reloadlab" << YAML::Value << 1;
  out << YAML::Key << "scenario" << YAML::Value << file.scenario;
  out << YAML::Key << "known" << YAML::Value << YAML::BeginSeq;
  for (const Expectation& one : file.known) write_entry(out, one);
  out << YAML::EndSeq << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace reloadlab::sim
