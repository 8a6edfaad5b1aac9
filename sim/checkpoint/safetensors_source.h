#pragma once
// Stored tensors by name, wherever they lie: one safetensors file; a folder with model.safetensors; or a folder with
// model.safetensors.index.json, whose weight_map says which shard holds which tensor. Opening reads headers only, so names, dtypes
// and shapes of a checkpoint of any size cost a few kilobytes.
//
// An index is held against its shards both ways: every name of the map is in the shard that it names, and every tensor of a shard
// is in the map under that shard. A shard is a plain file name, so an index reaches nothing outside its folder (a shard may be a
// symbolic link: download caches are made of those).
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/checkpoint/safetensors.h"

namespace reloadlab::sim {

class SafetensorsSource {
 public:
  static Result<SafetensorsSource> open(const std::filesystem::path& path);

  struct Entry {
    const SafetensorsFile* file;
    const StoredTensor* tensor;
  };
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  std::vector<std::string> names() const;  // sorted

 private:
  void add(SafetensorsFile file);
  std::vector<std::unique_ptr<const SafetensorsFile>> files_;  // entries point into these
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace reloadlab::sim
