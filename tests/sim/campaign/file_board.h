#pragma once
// A board in a folder: each value is a file, which comes whole.
#include <filesystem>

#include "sim/world/meeting_place.h"

namespace reloadlab::tests {

class FileBoard final : public sim::Board {
 public:
  explicit FileBoard(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Status put(const std::string& name, const std::string& value) override;
  Result<std::optional<std::string>> look(const std::string& name) override;
  Result<std::optional<std::string>> take(const std::string& name) override;

 private:
  const std::filesystem::path folder_;
};

}  // namespace reloadlab::tests
