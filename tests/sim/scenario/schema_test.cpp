// The table of keys and what is made of it: the README's key list, the JSON Schema.
#include "sim/scenario/schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "reference/model/kind.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

TEST(Schema, names_each_key_of_an_object_once) {
  for (const Object& object : schema_objects()) {
    std::set<std::string> names;
    for (const Key& key : keys_of(object.name)) EXPECT_TRUE(names.insert(key.name).second) << object.name << "." << key.name;
  }
}

TEST(Schema, knows_every_object_that_a_key_leads_to) {
  std::set<std::string_view> objects;
  for (const Object& object : schema_objects()) objects.insert(object.name);
  for (const Key& key : schema_keys()) {
    EXPECT_TRUE(objects.contains(key.object)) << key.object;
    EXPECT_TRUE(key.child.empty() || objects.contains(key.child)) << key.name;
    EXPECT_FALSE(key.about.empty()) << key.name;
  }
}

TEST(Schema, has_no_layer_kind_whose_keys_are_every_layers_own) {
  std::set<std::string> common;
  for (const Key& key : keys_of("layer")) common.insert(key.name);
  for (const model::LayerKind* kind : model::layer_kinds())
    for (const model::KeyInfo& info : kind->keys()) EXPECT_FALSE(common.contains(std::string(info.name))) << kind->id() << "." << info.name;
}

TEST(Markdown, stands_in_the_readme_as_it_is) {
  std::ifstream stream(std::string(RELOADLAB_SOURCE_DIR) + "/scenarios/README.md");
  std::ostringstream text;
  text << stream.rdbuf();
  const std::string begin = "<!-- keys -->\n", end = "<!-- end of keys -->";
  const size_t from = text.str().find(begin), to = text.str().find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_TRUE(text.str().substr(from + begin.size(), to - from - begin.size()) == schema_markdown())
      << "the key list of scenarios/README.md is stale: put what `reloadlab schema --markdown` prints between " << begin << " and " << end;
}

TEST(Markdown, has_a_row_for_every_key) {
  const std::string text = schema_markdown();
  for (const Key& key : schema_keys()) EXPECT_NE(text.find("| `" + key.name + "` |"), std::string::npos) << key.name;
  for (const model::LayerKind* kind : model::layer_kinds())
    EXPECT_NE(text.find("#### `" + std::string(kind->id()) + "`"), std::string::npos);
}

// Every "#/$defs/x" that the schema refers to.
void references(const nlohmann::json& node, std::set<std::string>& found) {
  if (node.is_object() && node.contains("$ref")) found.insert(node["$ref"].get<std::string>());
  for (const nlohmann::json& child : node)
    if (child.is_structured()) references(child, found);
}

TEST(JsonSchema, is_a_draft_2020_12_schema_whose_references_resolve) {
  const nlohmann::json schema = nlohmann::json::parse(json_schema());
  EXPECT_EQ(schema.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  std::set<std::string> found;
  references(schema, found);
  EXPECT_GT(found.size(), 10u);
  for (const std::string& pointer : found) EXPECT_TRUE(schema.contains(nlohmann::json::json_pointer(pointer.substr(1)))) << pointer;
}

TEST(JsonSchema, has_a_property_for_every_key) {
  const nlohmann::json schema = nlohmann::json::parse(json_schema());
  for (const Key& key : schema_keys()) {
    if (key.object == "model") continue;  // a choice between lists of layers and architectures
    const nlohmann::json& object = key.object == "scenario" ? schema : schema.at("$defs").at(key.object);
    EXPECT_TRUE(object.at("properties").contains(key.name)) << key.object << "." << key.name;
  }
  const nlohmann::json& kinds = schema.at("$defs").at("layer").at("allOf");
  EXPECT_EQ(kinds.size(), model::layer_kinds().size());
}

}  // namespace
}  // namespace reloadlab::sim
