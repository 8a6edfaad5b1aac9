// For readers that take a path.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/fuzz/readers.h"

namespace reloadlab::tests {
namespace {

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("reloadlab-readers-" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

std::string as_file(std::string_view name, std::string_view bytes) {
  static const Folder folder;
  const std::filesystem::path file = folder.path / name;
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file.string();
}

}  // namespace reloadlab::tests
