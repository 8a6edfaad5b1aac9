#include "reference/base/program.h"

#include <filesystem>

namespace reloadlab {
namespace {

std::vector<std::string>& host() {
  static std::vector<std::string> command;
  return command;
}

}  // namespace

std::vector<std::string> this_program() {
  std::error_code error;
  return host().empty() ? std::vector{std::filesystem::read_symlink("/proc/self/exe", error).string()} : host();
}

void hosted_by(std::vector<std::string> command) { host() = std::move(command); }

}  // namespace reloadlab
