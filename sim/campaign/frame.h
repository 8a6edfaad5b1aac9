#pragma once
// What a campaign and its worker processes say to each other over one socket:
//
//   | kind: 1 byte | length: 8 bytes, little endian | body |
//
// A worker is not believed: the candidate runs in it. A frame that is none ends the worker.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "reference/base/status.h"

namespace reloadlab::sim {

enum class FrameKind : char {
  job = 'J',       // to the worker: case, candidate, options as JSON
  ready = 'R',     // from here on: to the campaign. The worker is up
  step = 'S',      // a step begins: execution, rank, step, text as JSON
  waiting = 'W',   // it waits for its turn, and does not hang
  evidence = 'E',  // CBOR; the campaign judges
  answer = 'A',    // the worker has judged: result and trace as JSON
  failed = 'X',    // replay's Status as JSON
  hang = 'H',      // the worker gives up a case that will not end: what everybody waits for, as text
  found = 'F',     // a part of a fuzz campaign has found something: JSON
  summary = 'U',   // what it came to so far: JSON
};

struct Frame {
  FrameKind kind;
  std::string body;
};

inline constexpr size_t kFrameHeader = 9;
inline constexpr uint64_t kFrameLimit = uint64_t{4} << 30;  // bytes of one body

std::string frame_bytes(FrameKind kind, std::string_view body);

// Cuts a stream of bytes into frames.
class FrameReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole frame; nullopt when more bytes are needed; Code::data when these are no frames.
  Result<std::optional<Frame>> next();

 private:
  std::string buffer_;
  size_t read_ = 0;  // of the buffer; cut off when it is most of it
};

// Blocking, for the worker's side. False when the other side is gone.
bool send_frame(int socket, FrameKind kind, std::string_view body);
std::optional<Frame> receive_frame(int socket);

}  // namespace reloadlab::sim
