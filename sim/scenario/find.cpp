#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <system_error>

#include "sim/scenario/scenario.h"
#include "sim/scenario/schema.h"

namespace reloadlab::sim {
namespace {

namespace fs = std::filesystem;

fs::path& supplied() {
  static fs::path folder;
  return folder;
}

// "scenarios" and what is below it, where the current folder has no such thing, are those that came with the program.
fs::path found_or_supplied(const fs::path& path) {
  std::error_code error;
  if (supplied().empty() || path.is_absolute() || fs::exists(path, error)) return path;
  const fs::path below = path.lexically_normal();
  if (*below.begin() != "scenarios") return path;
  const fs::path there = (supplied() / below.lexically_relative("scenarios")).lexically_normal();
  return fs::exists(there, error) ? there : path;
}

bool is_yaml(const fs::path& file) { return file.extension() == ".yaml" || file.extension() == ".yml"; }

Status add_folder(const fs::path& folder, std::vector<fs::path>& files) {
  std::error_code error;
  auto entries = fs::recursive_directory_iterator(folder, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    if (entries->is_directory() && entries->path().filename() == "expectations") {
      entries.disable_recursion_pending();
    } else if (entries->is_regular_file() && is_yaml(entries->path())) {
      files.push_back(entries->path());
    }
  }
  return error ? Status(Code::data, fmt::format("{}: {}", folder.string(), error.message())) : Status();
}

}  // namespace

void supply_scenarios(const fs::path& folder) { supplied() = folder; }

Result<std::vector<fs::path>> find_scenarios(const std::vector<std::string>& paths) {
  std::vector<fs::path> files;
  for (const std::string& named : paths) {
    std::error_code error;
    const fs::path path = found_or_supplied(named);
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) {
      RELOADLAB_TRY(add_folder(path, files));
    } else if (fs::exists(status)) {
      files.emplace_back(path);
    } else {
      return Status(Code::usage, fmt::format("{}: no such file or folder, expected scenarios", named));
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

Result<std::vector<Case>> read_scenario(const fs::path& file, const ParseOptions& options) {
  std::ifstream stream(file, std::ios::binary);
  std::error_code none;
  if (!stream || fs::is_directory(file, none))
    return Status(Code::data, fmt::format("{}:1:1: cannot be read, expected a scenario file", file.string()));
  // One byte more than allowed tells a file that is too large without reading all of it.
  std::string text(static_cast<size_t>(limits::file_bytes) + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  return parse_scenario(text, file.string(), options);
}

}  // namespace reloadlab::sim
