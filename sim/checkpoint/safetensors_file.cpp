#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "reference/base/check.h"
#include "sim/checkpoint/json_tree.h"
#include "sim/checkpoint/safetensors.h"

namespace reloadlab::sim {
namespace {

// Reads everything or fails: a file that shrank since its header was checked must not pass for a whole one.
Status read_at(const std::string& path, int descriptor, uint64_t offset, std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    ssize_t got = pread(descriptor, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return Origin{path}.error(offset + done, fmt::format("{}, expected {} more bytes", std::strerror(errno), out.size() - done));
    if (got == 0) return Origin{path}.error(offset + done, fmt::format("the end of the file, expected {} more bytes", out.size() - done));
    done += static_cast<size_t>(got);
  }
  return {};
}

}  // namespace

SafetensorsFile::SafetensorsFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

SafetensorsFile::SafetensorsFile(SafetensorsFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), header_(std::move(other.header_)) {}

SafetensorsFile::~SafetensorsFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  // Without O_NONBLOCK a named pipe would wait for a writer.
  SafetensorsFile file(path.string(), ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  Origin origin{file.path_};
  if (file.descriptor_ < 0) return origin.error(0, fmt::format("{}, expected a safetensors file", std::strerror(errno)));
  struct stat status {};
  if (fstat(file.descriptor_, &status) != 0) return origin.error(0, fmt::format("{}, expected a safetensors file", std::strerror(errno)));
  if (!S_ISREG(status.st_mode)) return origin.error(0, "not a regular file, expected a safetensors file");
  auto read = [&](uint64_t offset, std::span<std::byte> out) { return read_at(file.path_, file.descriptor_, offset, out); };
  RELOADLAB_ASSIGN(file.header_, read_safetensors_header(file.path_, static_cast<uint64_t>(status.st_size), read));
  return file;
}

Status SafetensorsFile::read(const StoredTensor& tensor, std::span<std::byte> out) const {
  RELOADLAB_CHECK(out.size() == tensor.end - tensor.begin,
                  fmt::format("{}: {} wants {} bytes", path_, tensor.name, tensor.end - tensor.begin));
  return read_at(path_, descriptor_, tensor.begin, out);
}

}  // namespace reloadlab::sim
