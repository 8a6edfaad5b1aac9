// The table as JSON Schema, draft 2020-12, for editors.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "reference/model/kind.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/schema.h"

namespace reloadlab::sim {
namespace {

using Json = nlohmann::ordered_json;

Json of_text(const Key& key) {
  Json schema{{"type", "string"}};
  if (!key.allowed.empty()) {
    schema["enum"] = key.allowed;
    return schema;
  }
  schema["maxLength"] = key.long_text ? 4096 : limits::name_length;
  if (const std::string_view regex = pattern_regex(key.pattern); !regex.empty()) schema["pattern"] = regex;
  return schema;
}

Json of_integer(const Key& key) { return {{"type", "integer"}, {"minimum", key.minimum}, {"maximum", key.maximum}}; }
Json reference(const Key& key) { return {{"$ref", "#/$defs/" + key.child}}; }
Json list_of(const Json& items) { return {{"type", "array"}, {"items", items}}; }

Json of_names(const Key& key) {
  Json schema{{"type", "object"}, {"additionalProperties", reference(key)}};
  schema["propertyNames"] = {{"pattern", pattern_regex(key.pattern)}, {"maxLength", limits::name_length}};
  return schema;
}

Json of_key(const Key& key) {
  Json forms = Json::array();
  if (key.forms & form::boolean) forms.push_back({{"type", "boolean"}});
  if (key.forms & form::integer) forms.push_back(of_integer(key));
  if (key.forms & form::number) forms.push_back({{"type", "number"}});
  if (key.forms & form::text) forms.push_back(of_text(key));
  if (key.forms & form::integers) forms.push_back(list_of(of_integer(key)));
  if (key.forms & form::texts) forms.push_back(list_of(of_text(key.free_list ? Key{.pattern = key.pattern} : key)));
  if (key.forms & form::object) forms.push_back(reference(key));
  if (key.forms & form::objects) forms.push_back(list_of(reference(key)));
  if (key.forms & form::named) forms.push_back(of_names(key));
  if (key.forms & form::free_map) forms.push_back({{"type", "object"}, {"additionalProperties", {{"type", "array"}, {"minItems", 1}}}});
  Json schema = forms.size() == 1 ? forms[0] : Json{{"anyOf", forms}};
  schema["description"] = key.about;
  return schema;
}

Json of_object(const std::vector<Key>& keys) {
  Json schema{{"type", "object"}, {"properties", Json::object()}};
  Json required = Json::array();
  std::map<std::string, Json> groups;
  for (const Key& key : keys) {
    schema["properties"][key.name] = of_key(key);
    if (key.required) required.push_back(key.name);
    if (!key.group.empty()) groups[key.group].push_back({{"required", Json::array({key.name})}});
  }
  if (!required.empty()) schema["required"] = required;
  for (const auto& [name, members] : groups) schema["allOf"].push_back({{"oneOf", members}});
  schema["unevaluatedProperties"] = false;
  return schema;
}

// A layer's further keys hang on its kind.
void add_kinds(Json& layer) {
  for (const model::LayerKind* kind : model::layer_kinds()) {
    std::vector<Key> keys;
    for (const model::KeyInfo& info : kind->keys()) keys.push_back(key_from(info, "layer"));
    Json then = of_object(keys);
    then.erase("unevaluatedProperties");
    then.erase("type");
    Json is_kind{{"properties", {{"kind", {{"const", kind->id()}}}}}, {"required", Json::array({"kind"})}};
    layer["allOf"].push_back({{"if", is_kind}, {"then", then}});
  }
}

// A model is a list of layers, or an architecture with its keys.
Json of_model() {
  Json models = Json::array();
  std::vector<Key> keys = keys_of("model");
  auto only = [&](std::string_view architecture) {
    for (Key& key : keys)
      if (key.name == "architecture") key.allowed = {std::string(architecture)};
    return of_object(keys);
  };
  models.push_back(only("layers"));
  models.back()["required"] = Json::array({"layers"});
  for (const model::ArchitectureInfo& architecture : model::architectures()) {
    keys = keys_with(architecture);
    models.push_back(only(architecture.id));
    models.back()["required"] = Json::array({"architecture"});
  }
  return {{"oneOf", models}};
}

}  // namespace

std::string json_schema() {
  Json schema = of_object(keys_of("scenario"));
  Json result{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "reloadlab scenario"}};
  result.update(schema);
  for (const Object& object : schema_objects())
    if (object.name != "scenario") result["$defs"][std::string(object.name)] = of_object(keys_of(object.name));
  result["$defs"]["model"] = of_model();
  add_kinds(result["$defs"]["layer"]);
  for (const Limit& limit : schema_limits()) result["x-limits"][std::string(limit.what)] = limit.value;
  return result.dump(2) + "\n";
}

}  // namespace reloadlab::sim
