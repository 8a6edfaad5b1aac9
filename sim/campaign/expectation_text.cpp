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
class Reading {
 public:
  // One key of an entry. The first five are what fails and how; where it is quarantined, the last three of these have no place.
  struct Key {
    std::string_view name, meaning;
    enum class Wanted { always, unless_quarantined, never_must } wanted;
    void (Reading::*read)(const Node& value, Expectation& one);
  };
  static std::span<const Key> keys();

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

  void candidate(const Node& node, Expectation& one) { one.candidate = text(node); }
  void law(const Node& node, Expectation& one) { one.law = one_of(node, "law", names_.laws); }

  void rule(const Node& node, Expectation& one) {
    one.rule = text(node), one.rule_at = node.at;
    if (!one.rule.empty() && one.explained() && !is_rule(one.rule))
      errors_.error(node.at, fmt::format("no rule or bug is called \"{}\"", one.rule), errors_.suggest(one.rule, rule_ids()));
  }

  void execution(const Node& node, Expectation& one) {
    one.first.execution = text(node);
    const std::string_view lasting = lasting_execution(one.first.execution);
    if (lasting != one.first.execution)
      errors_.error(node.at, fmt::format("\"{}\" names what the run's seed draws, expected \"{}\"", one.first.execution, lasting));
  }

  void step(const Node& node, Expectation& one) { one.first.step = integer(node); }

  void tensor(const Node& node, Expectation& one) {
    if (is_drawn(lasting_execution(one.first.execution)))
      errors_.error(node.at, "which tensor a fault shows in is drawn with the run's seed; leave it out");
    one.first.tensor = text(node);
  }

  void reason(const Node& node, Expectation& one) { one.reason = text(node); }

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

  std::string condition_value(const Node& node, const ConditionKey& key) {
    const std::string value = text(node);
    const bool fits = value.find_first_not_of(key.number ? "0123456789" : "0123456789.") == std::string::npos;
    if (!value.empty() && !fits)
      errors_.error(node.at, fmt::format("expected a {}, found \"{}\"", key.number ? "whole number" : "version such as \"2.11\"", value));
    return value;
  }

  void when(const Node& node, Expectation& one) {
    if (!is(node, Node::Kind::map, "a map")) return;
    std::vector<std::string_view> names;
    for (const ConditionKey& key : condition_keys()) names.push_back(key.key);
    check_keys(node, names);
    if (node.entries.empty()) errors_.error(node.at, "no condition always holds; leave the key out");
    for (const ConditionKey& key : condition_keys()) {
      const Node::Entry* found = node.find(key.key);
      if (!found) continue;
      std::vector<std::string>& values = one.when[std::string(key.key)];
      if (found->value->kind != Node::Kind::list) values.push_back(condition_value(*found->value, key));
      for (const NodePtr& item : found->value->items) values.push_back(condition_value(*item, key));
      if (values.empty()) errors_.error(found->value->at, "an empty list never holds; leave the key out to hold always");
    }
  }

  void quarantine(const Node& node, Expectation& one) {
    one.quarantine.emplace(), one.rule_at = node.at;
    if (!is(node, Node::Kind::map, "a map")) return;
    constexpr std::string_view names[] = {"until", "reason"};
    check_keys(node, names);
    if (const Node* until = required(node, "until")) {
      one.quarantine->until = text(*until);
      if (!is_day(one.quarantine->until))
        errors_.error(until->at, fmt::format("expected a day as 2026-12-31, found \"{}\"", one.quarantine->until));
    }
    if (const Node* why = required(node, "reason")) one.quarantine->reason = text(*why);
  }

  void entry(const Node& node, ExpectationFile& file) {
    if (!is(node, Node::Kind::map, "a map")) return;
    std::vector<std::string_view> names;
    for (const Key& key : keys()) names.push_back(key.name);
    check_keys(node, names);
    Expectation one;
    const bool comes_and_goes = node.find("quarantine") != nullptr;
    for (const Key& key : keys()) {
      const Node::Entry* found = node.find(key.name);
      const bool of_evidence = key.wanted == Key::Wanted::unless_quarantined || key.name == "tensor";
      if (found && comes_and_goes && of_evidence)
        errors_.error(found->at, fmt::format("what is in quarantine comes and goes and has no {}; leave it out", key.name));
      else if (found)
        (this->*key.read)(*found->value, one);
      else if (key.wanted == Key::Wanted::always || (key.wanted == Key::Wanted::unless_quarantined && !comes_and_goes))
        required(node, key.name);
    }
    claim(node, one, file);
    file.known.push_back(std::move(one));
  }

  // One failure has one entry: one for all variants leaves no room for another, nor does one for all worlds or without conditions.
  void claim(const Node& node, const Expectation& one, const ExpectationFile& file) {
    if (std::ranges::any_of(file.known, [&](const Expectation& other) { return other.overlaps(one); }))
      errors_.error(node.at, fmt::format("another entry already covers {} and {} here", one.candidate, one.law));
  }

  const ExpectationNames& names_;
  Diagnostics& errors_;
};

// Read in this order: which tensor may be said depends on the execution.
std::span<const Reading::Key> Reading::keys() {
  using enum Key::Wanted;
  static constexpr Key all[] = {
      {"candidate", "who fails; a version is part of its name, as in `vllm@0.17.1`", always, &Reading::candidate},
      {"law", "what it fails", always, &Reading::law},
      {"rule",
       "the one rule or bug that explains it: LW1–LW8, OQ1–OQ6, SW1–SW5, or a known bug B01–B71, L01–L17 (`sim/campaign/rules.cpp`)",
       unless_quarantined, &Reading::rule},
      {"execution", "with `step` and `tensor`: the first evidence against the law", unless_quarantined, &Reading::execution},
      {"step", "where that is", unless_quarantined, &Reading::step},
      {"tensor", "which tensor it is about; left out where it is about none", never_must, &Reading::tensor},
      {"variants", "the cases it holds for; all when left out", never_must, &Reading::variants},
      {"worlds", "the worlds it holds in, such as `[cuda]` where real devices fail otherwise; all when left out", never_must,
       &Reading::worlds},
      {"when", "the conditions it holds under, each a value or a list of which one fits; always when left out", never_must, &Reading::when},
      {"reason", "why, in words that reports repeat", never_must, &Reading::reason},
      {"quarantine", "of what comes and goes, in place of `rule` and evidence: `until`, the last day that it may, and `reason`", never_must,
       &Reading::quarantine}};
  return all;
}

void write_condition(YAML::Emitter& out, const std::string& key, const std::vector<std::string>& values) {
  const bool number = std::ranges::find(condition_keys(), key, &ConditionKey::key)->number;
  out << YAML::Key << key << YAML::Value << YAML::Flow << YAML::BeginSeq;
  // Versions look like numbers, which other readers of YAML would take them for: 2.10 would be 2.1.
  for (const std::string& value : values)
    if (number)
      out << value;
    else
      out << YAML::DoubleQuoted << value;
  out << YAML::EndSeq;
}

void write_quarantine(YAML::Emitter& out, const Expectation& one) {
  out << YAML::Key << "quarantine" << YAML::Value << YAML::Flow << YAML::BeginMap;
  out << YAML::Key << "until" << YAML::Value << one.quarantine->until;
  out << YAML::Key << "reason" << YAML::Value << one.quarantine->reason << YAML::EndMap;
  if (!one.reason.empty()) out << YAML::Key << "reason" << YAML::Value << one.reason;
  out << YAML::EndMap;
}

void write_entry(YAML::Emitter& out, const Expectation& one) {
  out << YAML::Flow << YAML::BeginMap;
  out << YAML::Key << "candidate" << YAML::Value << one.candidate;
  out << YAML::Key << "law" << YAML::Value << one.law;
  if (!one.quarantine) out << YAML::Key << "rule" << YAML::Value << one.rule;
  if (!one.variants.empty()) out << YAML::Key << "variants" << YAML::Value << YAML::Flow << one.variants;
  if (!one.worlds.empty()) out << YAML::Key << "worlds" << YAML::Value << YAML::Flow << one.worlds;
  if (!one.when.empty()) out << YAML::Key << "when" << YAML::Value << YAML::Flow << YAML::BeginMap;
  for (const auto& [key, values] : one.when) write_condition(out, key, values);
  if (!one.when.empty()) out << YAML::EndMap;
  if (one.quarantine) return write_quarantine(out, one);
  out << YAML::Key << "execution" << YAML::Value << one.first.execution;
  out << YAML::Key << "step" << YAML::Value << one.first.step;
  if (!one.first.tensor.empty()) out << YAML::Key << "tensor" << YAML::Value << one.first.tensor;
  if (!one.reason.empty()) out << YAML::Key << "reason" << YAML::Value << one.reason;
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

std::string expectations_markdown() {
  std::string text = "| key | meaning |\n|---|---|\n";
  for (const Reading::Key& key : Reading::keys()) text += fmt::format("| `{}` | {} |\n", key.name, key.meaning);
  for (const ConditionKey& key : condition_keys()) text += fmt::format("| `when: {{{}: …}}` | {} |\n", key.key, key.meaning);
  return text;
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
