#pragma once
// A process that holds memory for this one to map. It is asked over a socket, one question at a time, and ends with the other end of it:
// with this process, whatever that dies of.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::sim {

// What tells another process which memory it is: bytes, or a descriptor that goes with them.
struct MemoryHandle {
  std::array<char, 64> bytes{};
  int descriptor = -1;  // -1: none. The receiver's to close
};

// What the process does when it is asked. Answers are empty where that went well, and otherwise why it did not.
class Keeper {
 public:
  virtual ~Keeper() = default;
  virtual std::string make(int64_t number, int64_t bytes, MemoryHandle& handle) = 0;
  virtual std::string fill(int64_t number, std::string_view bytes) = 0;
  virtual void drop(int64_t number) = 0;
};

// The process's main loop: until nobody is at the socket's other end.
void serve_memory(int socket, Keeper& keeper);
// The descriptor on which a program that was started for it finds the socket.
inline constexpr int kHolderSocket = 3;

class Holder {
 public:
  // A copy of this process that does nothing else, and touches nothing but the keeper. Code::failed where there can be none.
  static Result<Holder> fork(Keeper& keeper);
  // Another program, which calls serve_memory(kHolderSocket, …).
  static Result<Holder> start(const std::vector<std::string>& command);
  Holder(Holder&& other) noexcept;
  Holder& operator=(Holder&&) = delete;
  ~Holder();

  struct Made {
    int64_t number;
    MemoryHandle handle;
  };
  Result<Made> make(int64_t bytes);
  Status fill(int64_t number, std::string_view bytes);
  void drop(int64_t number);

 private:
  explicit Holder(int socket) : socket_(socket) {}
  int socket_;
  int64_t made_ = 0;
};

}  // namespace reloadlab::sim
