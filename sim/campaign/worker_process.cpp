#include "sim/campaign/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "sim/campaign/worker.h"

namespace reloadlab::sim {
namespace {

Status system_error(std::string_view what, int error) { return Status(Code::failed, fmt::format("{}: {}", what, std::strerror(error))); }

std::string signal_text(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return fmt::format("killed by signal {} ({}{})", signal, name ? fmt::format("SIG{}", name) : "?",
                     signal == SIGKILL ? "; perhaps out of memory" : "");
}

// The child's descriptors: its socket, and the log for everything printed.
struct Actions {
  posix_spawn_file_actions_t actions;
  Actions(int socket, const std::string& log) {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.empty() ? "/dev/null" : log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                       0644);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, socket, kWorkerSocket);
  }
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions); }
};

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const std::vector<std::string>& command, const std::string& log) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_error("socketpair", errno);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const Actions actions(ends[1], log);
  const int error = ::posix_spawn(&pid, arguments[0], &actions.actions, nullptr, arguments.data(), environ);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return system_error(command[0], error);
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(pid, ends[0]));
}

WorkerProcess::WorkerProcess(pid_t pid, int socket) : pid_(pid), socket_(socket), heard_(std::chrono::steady_clock::now()) {}

WorkerProcess::~WorkerProcess() {
  ::close(socket_);
  if (pid_ > 0) end();
}

void WorkerProcess::send(FrameKind kind, std::string_view body) {
  outgoing_ += frame_bytes(kind, body);
  heard_ = std::chrono::steady_clock::now();
}

void WorkerProcess::pump() {
  while (!outgoing_.empty()) {
    const ssize_t put = ::send(socket_, outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put <= 0) break;
    outgoing_.erase(0, static_cast<size_t>(put));
  }
  std::array<char, 1 << 16> chunk;  // of this call: every thread of the process, each rank's too, would have one of its own
  for (;;) {
    const ssize_t got = ::read(socket_, chunk.data(), chunk.size());
    if (got > 0) {
      heard_ = std::chrono::steady_clock::now();
      frames_.feed({chunk.data(), static_cast<size_t>(got)});
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      gone_ = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      return;
    }
  }
}

double WorkerProcess::silent_seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - heard_).count(); }

std::string WorkerProcess::end() {
  // One that is going down by itself gets a moment, so that what it died of is not covered up by our own signal.
  for (int waited_ms = 0; gone_ && waited_ms < 2000; waited_ms += 10) {
    if (std::string how = reap(false); !how.empty()) return how;
    ::usleep(10'000);
  }
  ::kill(pid_, SIGKILL);
  return reap(true);
}

std::string WorkerProcess::reap(bool block) {
  int status = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &status, block ? 0 : WNOHANG) != pid_) return {};
  pid_ = 0;
  return WIFSIGNALED(status) ? signal_text(WTERMSIG(status)) : fmt::format("left with exit code {}", WEXITSTATUS(status));
}

}  // namespace reloadlab::sim
