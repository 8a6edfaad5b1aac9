#pragma once
// A model folder as a scenario: config.json and the headers of its safetensors files. No LibTorch here.
#include <filesystem>
#include <string>

#include "reference/base/status.h"

namespace reloadlab::sim {

// The scenario's text. Code::usage when there is no such folder; Code::data with all that does not fit, one a line.
Result<std::string> import_model(const std::filesystem::path& folder);

}  // namespace reloadlab::sim
