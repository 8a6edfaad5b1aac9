#include "sim/candidate/spoken.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace reloadlab::sim {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kAnswerSeconds = 10, kAnswerSecondsMost = 3600, kStartSeconds = 120;
constexpr const char* kAnswerVariable = "RELOADLAB_ANSWER_SECONDS";
constexpr std::string_view kReady = "ready\n";

struct Pipe {
  std::array<int, 2> ends{-1, -1};
  bool open() { return ::pipe2(ends.data(), O_CLOEXEC) == 0; }
  void close(size_t end) {
    if (ends[end] >= 0) ::close(std::exchange(ends[end], -1));
  }
  ~Pipe() {
    close(0);
    close(1);
  }
};

// A process group of its own, so that what it started ends with it.
Result<pid_t> start(const std::vector<std::string>& command, const Pipe& out, const Pipe& err) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, words[0], &actions, &attributes, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return Status(Code::failed, fmt::format("{}: {}", command[0], std::strerror(error)));
  return pid;
}

// False: it has ended this stream.
bool take(int file, std::string& text) {
  std::array<char, 4096> chunk;
  const ssize_t got = ::read(file, chunk.data(), chunk.size());
  if (got > 0) text.append(chunk.data(), static_cast<size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

// False: it took too long.
bool listen(Pipe& out, Pipe& err, int answer_seconds, Spoken& spoken) {
  const Clock::time_point begin = Clock::now();
  Clock::time_point end = begin + std::chrono::seconds(kStartSeconds);
  bool ready = false;
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    pollfd watched[] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return false;
    ::poll(watched, 2, static_cast<int>(left));
    if (watched[0].revents && !take(out.ends[0], spoken.out)) out.close(0);
    if (watched[1].revents && !take(err.ends[0], spoken.err)) err.close(0);
    if (!ready && spoken.err.find(kReady) != std::string::npos) {
      ready = true;
      end = Clock::now() + std::chrono::seconds(answer_seconds);
    }
  }
  return true;
}

void say_end(int status, Spoken& spoken) {
  if (WIFEXITED(status)) {
    spoken.exit_code = WEXITSTATUS(status);
    spoken.end = fmt::format("leaves with exit code {}", spoken.exit_code);
  } else {
    spoken.end = fmt::format("is killed by signal {} (SIG{})", WTERMSIG(status), ::sigabbrev_np(WTERMSIG(status)));
  }
}

}  // namespace

Result<int> answer_seconds() {
  const char* const said = std::getenv(kAnswerVariable);
  if (!said) return kAnswerSeconds;
  int seconds = 0;
  const char* const end = said + std::strlen(said);
  const auto [last, error] = std::from_chars(said, end, seconds);
  if (error == std::errc() && last == end && seconds >= 1 && seconds <= kAnswerSecondsMost) return seconds;
  return Status(Code::usage, fmt::format("{}: \"{}\" is no number of seconds from 1 to {}", kAnswerVariable, said, kAnswerSecondsMost));
}

Result<Spoken> ask(const std::vector<std::string>& command) {
  RELOADLAB_ASSIGN(const int seconds, answer_seconds());
  Pipe out, err;
  if (!out.open() || !err.open()) return Status(Code::failed, fmt::format("pipe: {}", std::strerror(errno)));
  RELOADLAB_ASSIGN(const pid_t pid, start(command, out, err));
  out.close(1);
  err.close(1);
  Spoken spoken;
  const bool in_time = listen(out, err, seconds, spoken);
  if (!in_time) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  const size_t ready = spoken.err.find(kReady);
  if (in_time)
    say_end(status, spoken);
  else
    spoken.end = fmt::format("does not come back within {} s", ready == std::string::npos ? kStartSeconds : seconds);
  if (ready != std::string::npos) spoken.err.erase(0, ready + kReady.size());
  return spoken;
}

std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

}  // namespace reloadlab::sim
