#pragma once
// The grammar of scenario files as one table. The parser, the key list of scenarios/README.md, the JSON Schema and lint walk
// it; a key that is not a row here does not exist. Keys of layer kinds and architectures come from the model's registries.
//
//   object "reload"  ──▶  rows {to, …} and, through `includes`, the rows of object "delivery" {order, chunk, …}
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reference/model/architecture/architecture.h"
#include "reference/model/spec.h"

namespace reloadlab::sim {

inline constexpr int64_t schema_version = 1;

// What a file may cost before it is trusted. Part of the schema: the JSON Schema and the README name them.
namespace limits {
inline constexpr int64_t file_bytes = 1 << 20;
inline constexpr int depth = 32;
inline constexpr int64_t aliases = 64;
inline constexpr int64_t cases = 4096;
inline constexpr int64_t layers = 4096;
inline constexpr int64_t layers_in_all_cases = 1 << 18;
inline constexpr int64_t names_in_list = 1 << 16;
inline constexpr int64_t steps_unrolled = 100000;
inline constexpr int64_t model_elements = int64_t{1} << 44;
inline constexpr int64_t name_length = 256;
inline constexpr int64_t layer_integer = std::numeric_limits<int32_t>::max();
}  // namespace limits

struct Limit {
  std::string_view what;
  int64_t value;
};
std::span<const Limit> schema_limits();

// The forms in which a value may be written; a key may allow several.
namespace form {
enum Form : unsigned {
  boolean = 1,
  integer = 2,
  number = 4,
  text = 8,
  integers = 16,  // a list of them
  texts = 32,
  object = 64,     // a map with the keys of Key::child
  objects = 128,   // a list of such maps
  named = 256,     // a map from free names to such maps
  free_map = 512,  // a map from key paths to lists of values
};
}  // namespace form

// What a text must look like.
enum class Pattern {
  any,    // anything up to Key::maximum characters
  slug,   // lower-case words, digits, '-', '_', '.': fit for file names
  word,   // letters, digits, '_'
  path,   // letters, digits, '_', '-', '.', and ranges {0..3}
  names,  // what names tensors: a path, with '#shard', '*', '?' and ranges
};
std::string_view pattern_regex(Pattern pattern);  // ECMAScript, anchored; empty: anything
std::string_view pattern_about(Pattern pattern);

struct Key {
  std::string object;  // the object that it belongs to
  std::string name;
  unsigned forms = 0;
  std::string about;
  bool required = false;
  std::string fallback;              // as a person would write it; empty: none, and absent means absent
  std::vector<std::string> allowed;  // texts; empty: what `pattern` lets through
  std::string child;                 // object, objects, named
  std::string group;                 // of the keys of one group in an object exactly one is given
  Pattern pattern = Pattern::any;
  int64_t minimum = 0;                 // integers, and elements of integer lists
  int64_t maximum = int64_t{1} << 53;  // integers; for texts the length is limits::name_length unless `long_text`
  bool free_list = false;              // `allowed` holds for a text alone, not for those of a list
  bool inherited = false;              // absent, it has the value of the model's key of the same name
  bool long_text = false;              // a sentence or a path, up to 4,096 characters
};

struct Object {
  std::string_view name;
  std::string_view title;     // the heading in the README: "`world`: where a case runs"
  std::string_view includes;  // another object whose rows belong to this one too
};

std::span<const Object> schema_objects();           // the file itself first
const std::vector<Key>& schema_keys();              // the table, in the order of the documentation
std::vector<Key> keys_of(std::string_view object);  // its rows and those that it includes

// A row for a key of a layer kind.
Key key_from(const model::KeyInfo& info, std::string_view object);
// The rows of `model` when an architecture makes the layers: its own keys in place of `hidden` and `layers`.
std::vector<Key> keys_with(const model::ArchitectureInfo& architecture);
// "an integer", "text or a list of texts", "one of listed, by_layer": what a message says was expected.
std::string expected(const Key& key);

}  // namespace reloadlab::sim
