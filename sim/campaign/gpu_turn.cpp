#include "sim/campaign/gpu_turn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace reloadlab::sim {
namespace {

// What another user made may be opened, but not made: the folder is everybody's.
int open_lock(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  return file >= 0 || errno != ENOENT ? file : ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
}

}  // namespace

Result<GpuTurn> GpuTurn::take(const std::function<void()>& waiting) {
  RELOADLAB_ASSIGN(const GpuTurn next, lock("reloadlab-gpus-next.lock", waiting));
  return lock("reloadlab-gpus.lock", waiting);
}

Result<GpuTurn> GpuTurn::lock(const char* name, const std::function<void()>& waiting) {
  constexpr auto pause = std::chrono::milliseconds(10);
  constexpr int64_t told_each = 100;  // pauses
  std::error_code none;
  const std::string path = std::filesystem::temp_directory_path(none) / name;
  const int file = open_lock(path);
  if (file < 0) return Status(Code::failed, fmt::format("{}: {}, expected a lock for the GPUs of this host", path, std::strerror(errno)));
  GpuTurn turn(file);
  for (int64_t tries = 0; ::flock(file, LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Status(Code::failed, fmt::format("{}: {}", path, std::strerror(errno)));
    if (waiting && tries % told_each == 0) waiting();
    std::this_thread::sleep_for(pause);
  }
  return turn;
}

GpuTurn::GpuTurn(GpuTurn&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
GpuTurn::~GpuTurn() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace reloadlab::sim
