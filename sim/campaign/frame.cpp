#include "sim/campaign/frame.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace reloadlab::sim {
namespace {

// A switch, so that the compiler knows when one is left out.
bool is_kind(char letter) {
  switch (static_cast<FrameKind>(letter)) {
    case FrameKind::job:
    case FrameKind::ready:
    case FrameKind::step:
    case FrameKind::waiting:
    case FrameKind::evidence:
    case FrameKind::answer:
    case FrameKind::failed:
    case FrameKind::hang:
    case FrameKind::found:
    case FrameKind::summary:
      return true;
  }
  return false;
}

uint64_t length_of(std::string_view header) {
  uint64_t length = 0;
  for (size_t i = kFrameHeader; i-- > 1;) length = length << 8 | static_cast<unsigned char>(header[i]);
  return length;
}

Status check_header(std::string_view header) {
  if (!is_kind(header[0])) return Status(Code::data, "what it sent is no message");
  if (const uint64_t length = length_of(header); length > kFrameLimit)
    return Status(Code::data, fmt::format("a message of {} bytes", length));
  return {};
}

bool receive_exactly(int socket, std::string& out, size_t size) {
  out.resize(size);
  for (size_t have = 0; have < size;) {
    const ssize_t got = ::read(socket, out.data() + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    have += static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

std::string frame_bytes(FrameKind kind, std::string_view body) {
  std::string bytes(1, static_cast<char>(kind));
  for (size_t i = 0; i < 8; ++i) bytes += static_cast<char>(body.size() >> (8 * i));
  return bytes.append(body);
}

Result<std::optional<Frame>> FrameReader::next() {
  const std::string_view left = std::string_view(buffer_).substr(read_);
  if (left.size() < kFrameHeader) return std::optional<Frame>();
  RELOADLAB_TRY(check_header(left));
  const uint64_t length = length_of(left);
  if (left.size() - kFrameHeader < length) return std::optional<Frame>();
  std::optional<Frame> frame(Frame{static_cast<FrameKind>(left[0]), std::string(left.substr(kFrameHeader, length))});
  read_ += kFrameHeader + length;
  if (read_ > buffer_.size() / 2) buffer_.erase(0, std::exchange(read_, 0));
  return frame;
}

bool send_frame(int socket, FrameKind kind, std::string_view body) {
  const std::string bytes = frame_bytes(kind, body);
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t put = ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    sent += static_cast<size_t>(put);
  }
  return true;
}

std::optional<Frame> receive_frame(int socket) {
  std::string header, body;
  if (!receive_exactly(socket, header, kFrameHeader) || !check_header(header).ok()) return std::nullopt;
  if (!receive_exactly(socket, body, length_of(header))) return std::nullopt;
  return Frame{static_cast<FrameKind>(header[0]), std::move(body)};
}

}  // namespace reloadlab::sim
