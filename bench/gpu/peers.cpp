#include "bench/gpu/peers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string_view>

#include "reference/base/check.h"

namespace reloadlab::bench {
namespace {

constexpr const char* rank_variable = "RELOADLAB_BENCH_RANK";
constexpr const char* port_variable = "RELOADLAB_BENCH_PORT";
constexpr double patience = 120;  // seconds to wait for the others: they may still be loading libraries

}  // namespace

Peers::Peers(int ranks, int argc, char** argv) {
  seat_ = {.ranks = ranks, .patience = patience};
  if (const char* rank = std::getenv(rank_variable)) {
    seat_.rank = std::atoi(rank);
    seat_.port = std::atoi(std::getenv(port_variable));
    return;
  }
  auto place = sim::open_meeting_place();
  RELOADLAB_CHECK(place.ok(), place.status().message());
  place_ = *std::move(place);
  seat_.port = place_->port();
  for (int rank = 1; rank < ranks; ++rank) start(rank, argc, argv);
}

// What they would print is what rank 0 prints.
void Peers::start(int rank, int argc, char** argv) {
  std::vector<char*> words;
  for (int i = 0; i < argc; ++i)
    if (!std::string_view(argv[i]).starts_with("--benchmark_out")) words.push_back(argv[i]);
  words.push_back(nullptr);
  const std::string own = std::to_string(rank), port = std::to_string(seat_.port);
  const pid_t pid = ::fork();
  RELOADLAB_CHECK(pid >= 0, "a process for another rank");
  if (pid > 0) return started_.push_back(pid);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
  ::setenv(rank_variable, own.c_str(), 1);
  ::setenv(port_variable, port.c_str(), 1);
  ::execv("/proc/self/exe", words.data());
  ::_exit(127);
}

Peers::~Peers() {
  for (const int pid : started_) ::waitpid(pid, nullptr, 0);
}

}  // namespace reloadlab::bench
