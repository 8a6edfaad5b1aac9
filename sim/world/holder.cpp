#include "sim/world/holder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace reloadlab::sim {
namespace {

enum class What : int64_t { make, fill, drop };
struct Question {
  What what;
  int64_t number, bytes;  // fill: so many follow
};
struct Answer {
  std::array<char, 64> handle{};
  std::array<char, 192> why{};  // ends in a zero; empty: it went well
};

bool put(int socket, const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t count = ::send(socket, at, bytes, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += count, bytes -= static_cast<size_t>(count);
  }
  return true;
}

bool get(int socket, void* data, size_t bytes) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t count = ::recv(socket, at, bytes, MSG_WAITALL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += count, bytes -= static_cast<size_t>(count);
  }
  return true;
}

// An answer in one message, a descriptor with it where there is one.
struct Message {
  explicit Message(Answer& answer) : piece{&answer, sizeof answer} {
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = room.data();
    header.msg_controllen = room.size();
  }
  iovec piece;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr header{};
};

bool put_answer(int socket, Answer& answer, int descriptor) {
  Message message(answer);
  if (descriptor >= 0) {
    cmsghdr* control = CMSG_FIRSTHDR(&message.header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  } else {
    message.header.msg_controllen = 0;
  }
  return ::sendmsg(socket, &message.header, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof answer);
}

bool get_answer(int socket, Answer& answer, int& descriptor) {
  Message message(answer);
  ssize_t count = -1;
  do count = ::recvmsg(socket, &message.header, MSG_WAITALL | MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  const cmsghdr* control = count > 0 ? CMSG_FIRSTHDR(&message.header) : nullptr;
  if (control && control->cmsg_type == SCM_RIGHTS) std::memcpy(&descriptor, CMSG_DATA(control), sizeof descriptor);
  return count == static_cast<ssize_t>(sizeof answer);
}

Result<std::array<int, 2>> socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Status(Code::failed, fmt::format("socketpair: {}", std::strerror(errno)));
  return ends;
}

Status gone() { return Status(Code::failed, "the process that holds the memory is gone"); }

// In the child: nothing of its parent's but the socket, and what it says on stderr.
[[noreturn]] void live_as_holder(int socket, Keeper& keeper) {
  ::dup2(socket, kHolderSocket);
  ::close_range(kHolderSocket + 1, ~0U, 0);
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nowhere, STDIN_FILENO);
  ::dup2(nowhere, STDOUT_FILENO);
  serve_memory(kHolderSocket, keeper);
  ::_exit(0);
}

}  // namespace

void serve_memory(int socket, Keeper& keeper) {
  Question question{};
  std::string bytes;
  while (get(socket, &question, sizeof question)) {
    Answer answer;
    MemoryHandle handle;
    std::string why;
    if (question.what == What::make) why = keeper.make(question.number, question.bytes, handle);
    if (question.what == What::fill) {
      bytes.resize(static_cast<size_t>(question.bytes));
      if (!get(socket, bytes.data(), bytes.size())) return;
      why = keeper.fill(question.number, bytes);
    }
    if (question.what == What::drop) keeper.drop(question.number);
    answer.handle = handle.bytes;
    why.copy(answer.why.data(), answer.why.size() - 1);
    const bool told = put_answer(socket, answer, handle.descriptor);
    if (handle.descriptor >= 0) ::close(handle.descriptor);
    if (!told) return;
  }
}

Result<Holder> Holder::fork(Keeper& keeper) {
  RELOADLAB_ASSIGN(const auto ends, socket_pair());
  const pid_t child = ::fork();
  if (child == 0) live_as_holder(ends[1], keeper);
  ::close(ends[1]);
  Holder holder(ends[0]);
  if (child < 0) return Status(Code::failed, fmt::format("fork: {}", std::strerror(errno)));
  return holder;
}

Result<Holder> Holder::start(const std::vector<std::string>& command) {
  RELOADLAB_ASSIGN(const auto ends, socket_pair());
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], kHolderSocket);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  Holder holder(ends[0]);
  if (error != 0) return Status(Code::failed, fmt::format("{}: {}", command[0], std::strerror(error)));
  return holder;
}

Holder::Holder(Holder&& other) noexcept : socket_(std::exchange(other.socket_, -1)), made_(other.made_) {}

Holder::~Holder() {
  if (socket_ >= 0) ::close(socket_);
}

Result<Holder::Made> Holder::make(int64_t bytes) {
  Made made{.number = made_++, .handle = {}};
  const Question question{What::make, made.number, bytes};
  Answer answer;
  if (!put(socket_, &question, sizeof question) || !get_answer(socket_, answer, made.handle.descriptor)) return gone();
  if (answer.why[0] != 0) return Status(Code::failed, answer.why.data());
  made.handle.bytes = answer.handle;
  return made;
}

Status Holder::fill(int64_t number, std::string_view bytes) {
  const Question question{What::fill, number, static_cast<int64_t>(bytes.size())};
  Answer answer;
  int nothing = -1;
  if (!put(socket_, &question, sizeof question) || !put(socket_, bytes.data(), bytes.size()) || !get_answer(socket_, answer, nothing))
    return gone();
  return answer.why[0] == 0 ? Status() : Status(Code::failed, answer.why.data());
}

void Holder::drop(int64_t number) {
  const Question question{What::drop, number, 0};
  Answer answer;
  int nothing = -1;
  if (put(socket_, &question, sizeof question)) (void)get_answer(socket_, answer, nothing);
}

}  // namespace reloadlab::sim
