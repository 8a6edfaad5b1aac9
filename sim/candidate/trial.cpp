// A first look at a plug-in, in a process of its own: code that runs as a library is opened may crash, exit or hang.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "sim/candidate/candidate.h"
#include "sim/candidate/plugin.h"
#include "sim/candidate/spoken.h"

namespace reloadlab::sim {
namespace {

std::string end_of(int status, int patience_seconds) {
  if (WIFEXITED(status)) return fmt::format("leaves with exit code {}", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  if (signal == SIGALRM) return fmt::format("does not come back within {} s", patience_seconds);
  return fmt::format("is killed by signal {} (SIG{})", signal, ::sigabbrev_np(signal));
}

}  // namespace

Status try_plugin(const std::string& spelling) {
  constexpr int kCameBack = 73;
  RELOADLAB_ASSIGN(const int patience_seconds, answer_seconds());
  const pid_t child = ::fork();
  if (child < 0) return Status(Code::failed, fmt::format("no process to try {} in: {}", spelling, std::strerror(errno)));
  if (child == 0) {
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(static_cast<unsigned>(patience_seconds));
    static_cast<void>(find_plugin(spelling).ok());  // what it says is asked again, by whoever wants to know
    ::_exit(kCameBack);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kCameBack) return {};
  return Status(Code::data, fmt::format("{}: who opens it and asks for a candidate {}", spelling, end_of(status, patience_seconds)));
}

}  // namespace reloadlab::sim
