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

#include "sim/campaign/trail.h"
#include "sim/campaign/worker.h"

namespace reloadlab::sim {
namespace {

Status system_error(std::string_view what, int error) { return Status(Code::failed, fmt::format("{}: {}", what, std::strerror(error))); }

std::string signal_text(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return fmt::format("killed by signal {} ({}{})", signal, name ? fmt::format("SIG{}", name) : "?",
                     signal == SIGKILL ? "; perhaps out of memory" : "");
}

// The child's descriptors: its socket, its trail, and the log for everything printed.
struct Actions {
  posix_spawn_file_actions_t actions;
  Actions(int socket, int trail, const std::string& log) {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!log.empty()) ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, socket, kWorkerSocket);
    ::posix_spawn_file_actions_adddup2(&actions, trail, kWorkerTrail);
  }
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions); }
};

// A process group of its own: what the candidate starts ends with it, and what is typed at the campaign's terminal does not reach it.
struct Attributes {
  posix_spawnattr_t attributes;
  Attributes() {
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    ::posix_spawnattr_setpgroup(&attributes, 0);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes); }
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
  const int trail = open_trail();  // after the socket's ends, whose numbers are lower then: neither takes the other's place in the child
  const Actions actions(ends[1], trail, log);
  const Attributes attributes;
  const int error =
      trail < 0 ? errno : ::posix_spawn(&pid, arguments[0], &actions.actions, &attributes.attributes, arguments.data(), environ);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    if (trail >= 0) ::close(trail);
    return system_error(command[0], error);
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(pid, ends[0], trail));
}

WorkerProcess::WorkerProcess(pid_t pid, int socket, int trail)
    : pid_(pid), socket_(socket), trail_(trail), heard_(std::chrono::steady_clock::now()) {}

WorkerProcess::~WorkerProcess() {
  ::close(socket_);
  if (pid_ > 0) end();
  ::close(trail_);
}

void WorkerProcess::send_bytes(std::string_view frames) {
  outgoing_ += frames;
  heard_ = std::chrono::steady_clock::now();
}

void WorkerProcess::pump() {
  while (!outgoing_.empty()) {
    const ssize_t put = ::send(socket_, outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put <= 0) break;
    outgoing_.erase(0, static_cast<size_t>(put));
  }
  const bool ended = has_ended();   // what it said before it did can be read from here on
  std::array<char, 1 << 16> chunk;  // of this call: every thread of the process, each rank's too, would have one of its own
  for (;;) {
    const ssize_t got = ::read(socket_, chunk.data(), chunk.size());
    if (got > 0) {
      heard_ = std::chrono::steady_clock::now();
      frames_.feed({chunk.data(), static_cast<size_t>(got)});
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      gone_ = ended || got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      return;
    }
  }
}

// What it started may hold its end of the socket.
bool WorkerProcess::has_ended() const {
  siginfo_t dead{};
  return pid_ > 0 && ::waitid(P_PID, static_cast<id_t>(pid_), &dead, WEXITED | WNOWAIT | WNOHANG) == 0 && dead.si_pid != 0;
}

double WorkerProcess::silent_seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - heard_).count(); }

std::string WorkerProcess::end() {
  // One that is going down by itself gets a moment, so that what it died of is not covered up by our own signal.
  for (int waited_ms = 0; gone_ && waited_ms < 2000; waited_ms += 10) {
    if (std::string how = reap(false); !how.empty()) return how;
    ::usleep(10'000);
  }
  ::kill(-pid_, SIGKILL);
  return reap(true);
}

// What it started ends with it: its group is killed while its own number is still taken.
std::string WorkerProcess::reap(bool block) {
  siginfo_t dead{};
  if (pid_ <= 0 || ::waitid(P_PID, static_cast<id_t>(pid_), &dead, WEXITED | WNOWAIT | (block ? 0 : WNOHANG)) != 0 || dead.si_pid == 0)
    return {};
  ::kill(-pid_, SIGKILL);
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return {};
  pid_ = 0;
  return WIFSIGNALED(status) ? signal_text(WTERMSIG(status)) : fmt::format("left with exit code {}", WEXITSTATUS(status));
}

}  // namespace reloadlab::sim
