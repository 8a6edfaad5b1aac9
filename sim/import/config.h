#pragma once
// A model folder's config.json, as an architecture with its keys; of a model with several parts the language model. No LibTorch here.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"
#include "reference/model/spec.h"

namespace reloadlab::sim {

struct ConfigModel {
  std::string type;       // "qwen3_moe"
  bool is_part = false;   // the language model of one with more parts, in a section text_config
  model::ModelSpec spec;  // architecture and values; layers are not made, and the dtype is not known
};

// Code::data, with the offset in the file, when it is no JSON object, or lacks what its model_type needs.
Result<ConfigModel> read_config(const std::filesystem::path& file);
std::vector<std::string_view> known_model_types();

}  // namespace reloadlab::sim
