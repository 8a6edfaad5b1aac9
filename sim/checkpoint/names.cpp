#include "sim/checkpoint/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "reference/base/nearest.h"

namespace reloadlab::sim {
namespace {

struct Captures {
  std::string_view digits, word;
};

constexpr std::string_view digits_mark = "{i}", word_mark = "{w}";

std::string_view digits_of(std::string_view text) { return text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size())); }
std::string_view word_of(std::string_view text) { return text.substr(0, std::min(text.find('.'), text.size())); }

std::optional<Captures> match(std::string_view pattern, std::string_view name) {
  Captures captures;
  while (!pattern.empty()) {
    if (pattern.starts_with(digits_mark) || pattern.starts_with(word_mark)) {
      bool digits = pattern.starts_with(digits_mark);
      std::string_view taken = digits ? digits_of(name) : word_of(name);
      if (taken.empty()) return std::nullopt;
      (digits ? captures.digits : captures.word) = taken;
      pattern.remove_prefix(digits_mark.size());
      name.remove_prefix(taken.size());
    } else {
      if (!name.starts_with(pattern.front())) return std::nullopt;
      pattern.remove_prefix(1);
      name.remove_prefix(1);
    }
  }
  return name.empty() ? std::optional(captures) : std::nullopt;
}

void replace(std::string& text, std::string_view mark, std::string_view by) {
  if (size_t at = text.find(mark); at != text.npos) text.replace(at, mark.size(), by);
}

std::string filled(std::string_view pattern, const Captures& captures) {
  std::string name(pattern);
  replace(name, digits_mark, captures.digits);
  replace(name, word_mark, captures.word);
  return name;
}

std::optional<std::string> renamed_by(std::span<const NameRule> rules, std::string_view name) {
  for (const NameRule& rule : rules)
    if (const std::optional<Captures> captures = match(rule.stored, name)) return filled(rule.ours, *captures);
  return std::nullopt;
}

std::optional<int64_t> number_of(std::string_view digits) {
  int64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto [last, error] = std::from_chars(digits.data(), end, number);
  return error == std::errc() && last == end && number >= 0 ? std::optional(number) : std::nullopt;
}

// Takes the last word off: "a.b.c" leaves "a.b" and gives "c".
std::string_view take_last(std::string_view& name) {
  const size_t dot = name.rfind('.');
  const std::string_view word = dot == name.npos ? name : name.substr(dot + 1);
  name = dot == name.npos ? std::string_view() : name.substr(0, dot);
  return word;
}

const PartRule* rule_of(std::span<const PartRule> rules, std::string_view word) {
  const auto found = std::ranges::find(rules, word, &PartRule::stored);
  return found == rules.end() ? nullptr : &*found;
}

// The rule that made "w13_weight" and "w3" out of a stored name.
const PartRule* expert_rule(std::span<const PartRule> rules, const Target& target, std::string_view tensor) {
  for (const PartRule& rule : rules)
    if (rule.shard == target.shard && tensor.starts_with(fmt::format("{}_", rule.parameter))) return &rule;
  return nullptr;
}

// "….experts.7.up_proj.weight"
std::optional<Target> expert_target(std::span<const PartRule> rules, std::string_view name) {
  const std::string_view tensor = take_last(name), projection = take_last(name), digits = take_last(name);
  const PartRule* rule = rule_of(rules, projection);
  const std::optional<int64_t> expert = number_of(digits);
  if (!rule || !expert || (name != "experts" && !name.ends_with(".experts"))) return std::nullopt;
  return Target{fmt::format("{}.{}_{}", name, rule->parameter, tensor), std::string(rule->shard), expert};
}

// "….q_proj.weight"
std::optional<Target> stacked_target(std::span<const PartRule> rules, std::string_view name) {
  const std::string_view tensor = take_last(name), word = take_last(name);
  const PartRule* rule = rule_of(rules, word);
  if (!rule) return std::nullopt;
  return Target{fmt::format("{}{}{}.{}", name, name.empty() ? "" : ".", rule->parameter, tensor), std::string(rule->shard)};
}

}  // namespace

std::string_view NameMap::prefix(std::string_view stored) const {
  const auto found = std::ranges::find_if(prefixes, [&](std::string_view each) { return stored.starts_with(each); });
  return found == prefixes.end() ? std::string_view() : *found;
}

std::string_view NameMap::without_prefix(std::string_view stored) const { return stored.substr(prefix(stored).size()); }

std::optional<Target> NameMap::target(std::string_view stored) const {
  std::string name(without_prefix(stored));
  for (const NameRule& end : respelt)
    if (name.ends_with(end.stored)) name.replace(name.size() - end.stored.size(), end.stored.size(), end.ours);
  if (!renamed.empty()) {
    std::optional<std::string> ours = renamed_by(renamed, name);
    if (!ours) return std::nullopt;
    name = *std::move(ours);
  }
  if (std::optional<std::string> elsewhere = renamed_by(moved, name)) return Target{*std::move(elsewhere)};
  if (std::optional<Target> one = expert_target(experts, name)) return one;
  if (std::optional<Target> part = stacked_target(stacked, name)) return part;
  return Target{std::move(name)};
}

std::string NameMap::stored_name(const Target& target) const {
  std::string_view path = target.parameter;
  const std::string_view tensor = take_last(path);
  std::string name = target.parameter;
  if (const PartRule* expert = target.expert ? expert_rule(experts, target, tensor) : nullptr) {
    name = fmt::format("{}.{}.{}.{}", path, *target.expert, expert->stored, tensor.substr(expert->parameter.size() + 1));
  } else if (target.shard) {
    const std::string_view word = take_last(path);
    for (const PartRule& part : stacked)
      if (part.parameter == word && part.shard == *target.shard)
        name = fmt::format("{}{}{}.{}", path, path.empty() ? "" : ".", part.stored, tensor);
  }
  for (const auto rules : {moved, renamed})
    for (const NameRule& rule : rules)
      if (const std::optional<Captures> captures = match(rule.ours, name)) return filled(rule.stored, *captures);
  return name;
}

bool NameMap::ignores(std::string_view stored) const {
  const std::string_view name = without_prefix(stored);
  return std::ranges::any_of(ignored, [&](std::string_view pattern) { return match(pattern, name).has_value(); }) ||
         std::ranges::any_of(other_parts, [&](std::string_view part) { return name.starts_with(part); });
}

std::optional<int64_t> NameMap::block(std::string_view stored) const {
  const std::string_view name = without_prefix(stored);
  if (blocks.empty() || !name.starts_with(blocks)) return std::nullopt;
  return number_of(word_of(name.substr(blocks.size())));
}

Result<NameMap> find_name_map(std::string_view id) {
  if (id.empty()) return NameMap{};
  for (const NameMap& map : name_maps())
    if (map.id == id) return map;
  std::vector<std::string_view> ids = name_map_ids();
  return Status(Code::data,
                fmt::format("no name map is called \"{}\", expected one of {}{}", id, fmt::join(ids, ", "), did_you_mean(id, ids)));
}

std::vector<std::string_view> name_map_ids() {
  std::vector<std::string_view> ids;
  for (const NameMap& map : name_maps()) ids.push_back(map.id);
  return ids;
}

}  // namespace reloadlab::sim
