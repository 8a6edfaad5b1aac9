#include "sim/scenario/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace reloadlab::sim {
namespace {

constexpr Limit all_limits[] = {
    {"bytes in a file", limits::file_bytes},
    {"levels of nesting", limits::depth},
    {"alias expansions in a file", limits::aliases},
    {"cases in a file", limits::cases},
    {"layers in a model", limits::layers},
    {"layers in all cases of a file", limits::layers_in_all_cases},
    {"names in one list, ranges expanded", limits::names_in_list},
    {"steps of a case, repetitions unrolled", limits::steps_unrolled},
    {"elements of a model on one rank", limits::model_elements},
    {"characters in a name", limits::name_length},
    {"value of an integer key of a layer", limits::layer_integer},
};

unsigned form_of(model::KeyInfo::Type type) {
  switch (type) {
    case model::KeyInfo::Type::boolean:
      return form::boolean;
    case model::KeyInfo::Type::integer:
      return form::integer;
    case model::KeyInfo::Type::number:
      return form::number;
    case model::KeyInfo::Type::text:
      return form::text;
    case model::KeyInfo::Type::integers:
      return form::integers;
  }
  return form::text;
}

std::string written(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<int64_t>(&value)) return fmt::format("{}", *whole);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) return fmt::format("[{}]", fmt::join(*list, ", "));
  const std::string& word = std::get<std::string>(value);
  return word.empty() ? "\"\"" : word;
}

std::vector<std::string> choices_of(std::string_view choices) {
  std::vector<std::string> words;
  while (!choices.empty()) {
    const size_t bar = choices.find('|');
    words.emplace_back(choices.substr(0, bar));
    choices.remove_prefix(bar == choices.npos ? choices.size() : bar + 1);
  }
  return words;
}

std::string integer_words(const Key& key, std::string_view plural) {
  std::string base = plural.empty() ? "an integer" : std::string(plural);
  if (key.minimum < 0) return base;
  if (key.minimum == key.maximum) return fmt::format("{}", key.minimum);
  if (key.maximum < int64_t{1} << 53) return fmt::format("{} from {} to {}", base, key.minimum, key.maximum);
  return fmt::format("{} of at least {}", base, key.minimum);
}

std::string text_words(const Key& key) {
  if (!key.allowed.empty()) return fmt::format("{}", fmt::join(key.allowed, " | "));
  return std::string(pattern_about(key.pattern));
}

std::string list_words(const Key& key) {
  if (key.allowed.empty() || key.free_list) return fmt::format("a list, each {}", pattern_about(key.pattern));
  return key.forms & form::text ? "a list of them" : fmt::format("a list of {}", fmt::join(key.allowed, " | "));
}

}  // namespace

std::span<const Limit> schema_limits() { return all_limits; }

std::string_view pattern_regex(Pattern pattern) {
  switch (pattern) {
    case Pattern::any:
      return "";
    case Pattern::slug:
      return "^[a-z0-9][a-z0-9_.-]*$";
    case Pattern::word:
      return "^[A-Za-z0-9_]+$";
    case Pattern::path:
      return "^[A-Za-z0-9_.{}-]+$";
    case Pattern::names:
      return "^[A-Za-z0-9_.{}#*?-]+$";
  }
  return "";
}

std::string_view pattern_about(Pattern pattern) {
  switch (pattern) {
    case Pattern::any:
      return "text";
    case Pattern::slug:
      return "a word of a-z, 0-9, '-', '_' and '.'";
    case Pattern::word:
      return "a word of letters, digits and '_'";
    case Pattern::path:
      return "a dotted name";
    case Pattern::names:
      return "a tensor name";
  }
  return "text";
}

std::vector<Key> keys_of(std::string_view object_name) {
  std::vector<Key> keys;
  std::string_view included;
  for (const Object& candidate : schema_objects())
    if (candidate.name == object_name) included = candidate.includes;
  for (const Key& key : schema_keys())
    if (key.object == object_name || (!included.empty() && key.object == included)) keys.push_back(key);
  return keys;
}

Key key_from(const model::KeyInfo& info, std::string_view object_name) {
  Key key;
  key.object = object_name;
  key.name = info.name;
  key.forms = form_of(info.type);
  key.about = info.about;
  key.required = info.required;
  if (!info.required) key.fallback = written(info.fallback);
  key.allowed = choices_of(info.choices);
  key.minimum = info.minimum;
  key.maximum = limits::layer_integer;
  key.inherited = object_name == "layer" && info.name == "hidden";
  if (key.inherited) key.required = false;
  return key;
}

std::vector<Key> keys_with(const model::ArchitectureInfo& architecture) {
  std::vector<Key> keys = keys_of("model");
  std::erase_if(keys, [](const Key& key) { return key.name == "hidden" || key.name == "layers"; });
  for (const model::KeyInfo& info : architecture.keys) {
    keys.push_back(key_from(info, "model"));
    if (info.name == "blocks") keys.back().maximum = limits::layers;  // how often an architecture repeats its layers
  }
  return keys;
}

std::string expected(const Key& key) {
  std::vector<std::string> forms;
  if (key.forms & form::boolean) forms.emplace_back("true or false");
  if (key.forms & form::integer) forms.push_back(integer_words(key, ""));
  if (key.forms & form::number) forms.emplace_back("a number");
  if (key.forms & form::text) forms.push_back(text_words(key));
  if (key.forms & form::integers) forms.push_back(integer_words(key, "a list of integers"));
  if (key.forms & form::texts) forms.push_back(list_words(key));
  if (key.forms & form::object) forms.emplace_back(key.child == "nothing" ? "{}" : "a map");
  if (key.forms & form::objects) forms.emplace_back("a list of maps");
  if (key.forms & form::named) forms.emplace_back("a map of names");
  if (key.forms & form::free_map) forms.emplace_back("a map of key paths to lists");
  return fmt::format("{}", fmt::join(forms, ", or "));
}

}  // namespace reloadlab::sim
