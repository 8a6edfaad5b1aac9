#include "sim/checkpoint/safetensors_source.h"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "sim/checkpoint/json_tree.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view single_name = "model.safetensors";
constexpr std::string_view index_name = "model.safetensors.index.json";
constexpr std::string_view index_suffix = ".index.json";

struct MapEntry {
  std::string shard;
  size_t offset;  // of the tensor's name in the index
};
using WeightMap = std::map<std::string, MapEntry, std::less<>>;

Result<std::string> read_text(const std::filesystem::path& path) {
  Origin origin{path.string()};
  std::error_code error;
  uint64_t size = std::filesystem::file_size(path, error);
  if (error) return origin.error(0, fmt::format("{}, expected an index", error.message()));
  if (size > safetensors_header_bytes_max)
    return origin.error(0, fmt::format("{} bytes, expected an index of at most {}", size, safetensors_header_bytes_max));
  std::string text(size, '\0');
  std::ifstream stream(path, std::ios::binary);
  if (!stream.read(text.data(), static_cast<std::streamsize>(size))) return origin.error(0, "unreadable, expected an index");
  return text;
}

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

Result<WeightMap> read_weight_map(std::string_view text, const Origin& origin) {
  RELOADLAB_ASSIGN(JsonNode root, parse_json_tree(text, origin, {}));
  const JsonNode* map = root.kind == JsonNode::Kind::object ? root.member("weight_map") : nullptr;
  if (map == nullptr || map->kind != JsonNode::Kind::object) {
    return origin.error(map ? map->offset : root.offset,
                        "no weight_map, expected an object with weight_map, an object of shard names by tensor");
  }
  WeightMap result;
  for (const JsonNode& entry : map->children) {
    if (entry.kind != JsonNode::Kind::text) {
      return origin.error(entry.offset, fmt::format("tensor {} is in {}, expected a shard's name", shown(entry.key), describe(entry)));
    }
    if (!is_plain_file_name(entry.text)) {
      return origin.error(entry.offset, fmt::format("tensor {} is in {}, expected a plain file name in the index's folder",
                                                    shown(entry.key), shown(entry.text)));
    }
    result.emplace(entry.key, MapEntry{entry.text, entry.key_offset});
  }
  return result;
}

// One shard against the map: what the map promises of it is there, and it holds nothing else.
Status check_shard(const std::string& shard, const SafetensorsFile& file, const WeightMap& map, const Origin& index) {
  for (const auto& [name, entry] : map) {
    if (entry.shard == shard && file.header().find(name) == nullptr) {
      return index.error(entry.offset, fmt::format("tensor {} is not in {}, expected it there", shown(name), shown(shard)));
    }
  }
  for (const StoredTensor& tensor : file.header().tensors) {
    auto found = map.find(tensor.name);
    if (found != map.end() && found->second.shard == shard) continue;
    return Origin{file.path()}.error(
        tensor.begin, fmt::format("tensor {}, expected only what {} puts into this shard", shown(tensor.name), shown(index.file)));
  }
  return {};
}

}  // namespace

void SafetensorsSource::add(SafetensorsFile file) {
  files_.push_back(std::make_unique<const SafetensorsFile>(std::move(file)));
  for (const StoredTensor& tensor : files_.back()->header().tensors) entries_.emplace(tensor.name, Entry{files_.back().get(), &tensor});
}

std::vector<std::string> SafetensorsSource::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

Result<SafetensorsSource> SafetensorsSource::open(const std::filesystem::path& path) {
  std::filesystem::path file = path;
  std::error_code ignored;  // what cannot be looked at is reported when it is opened
  if (std::filesystem::is_directory(path, ignored)) {
    file = path / single_name;
    if (!std::filesystem::exists(file, ignored)) file = path / index_name;
    if (!std::filesystem::exists(file, ignored)) {
      return Origin{path.string()}.error(0, fmt::format("a folder without weights, expected {} or {} in it", single_name, index_name));
    }
  }
  SafetensorsSource source;
  if (!file.filename().string().ends_with(index_suffix)) {
    RELOADLAB_ASSIGN(SafetensorsFile single, SafetensorsFile::open(file));
    source.add(std::move(single));
    return source;
  }
  Origin origin{file.string()};
  RELOADLAB_ASSIGN(std::string text, read_text(file));
  RELOADLAB_ASSIGN(WeightMap map, read_weight_map(text, origin));
  std::map<std::string, size_t> shards;  // with the first place that names each
  for (const auto& [name, entry] : map) shards.emplace(entry.shard, entry.offset);
  for (const auto& [shard, offset] : shards) {
    Result<SafetensorsFile> opened = SafetensorsFile::open(file.parent_path() / shard);
    if (!opened.ok()) return opened.status().within(fmt::format("{}: offset {}", origin.file, offset));
    RELOADLAB_TRY(check_shard(shard, *opened, map, origin));
    source.add(*std::move(opened));
  }
  return source;
}

}  // namespace reloadlab::sim
