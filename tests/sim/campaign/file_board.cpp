#include "tests/sim/campaign/file_board.h"

#include <fstream>
#include <iterator>

namespace reloadlab::tests {

Status FileBoard::put(const std::string& name, const std::string& value) {
  const std::filesystem::path partial = folder_ / (name + ".partial");
  std::ofstream(partial, std::ios::binary) << value;
  std::error_code error;
  std::filesystem::rename(partial, folder_ / name, error);
  return error ? Status(Code::failed, "the board is gone") : Status();
}

Result<std::optional<std::string>> FileBoard::look(const std::string& name) {
  if (!std::filesystem::exists(folder_)) return Status(Code::failed, "the board is gone");
  std::ifstream file(folder_ / name, std::ios::binary);
  if (!file) return std::optional<std::string>();
  return std::optional(std::string(std::istreambuf_iterator<char>(file), {}));
}

Result<std::optional<std::string>> FileBoard::take(const std::string& name) {
  auto value = look(name);
  std::error_code error;
  if (value.ok() && value->has_value()) std::filesystem::remove(folder_ / name, error);
  return value;
}

}  // namespace reloadlab::tests
