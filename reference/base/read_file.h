#pragma once
// A whole file as bytes.
#include <filesystem>
#include <string>

#include "reference/base/status.h"

namespace reloadlab {

// Code::data with the path where it cannot be read, and for a folder.
Result<std::string> read_file(const std::filesystem::path& path);

}  // namespace reloadlab
