#include "sim/world/cuda/stack.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>

namespace reloadlab::sim::cuda {
namespace {

constexpr int answer_ms = 1000;
const int signal_asked = SIGRTMIN + 7;

std::array<void*, 64> frames;
std::atomic<int> answered{-1};

void answer(int) { answered = ::backtrace(frames.data(), static_cast<int>(frames.size())); }

std::string name_of(void* address) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0 || !info.dli_fname) return fmt::format("{}", address);
  if (!info.dli_sname)
    return fmt::format("{}+{:#x}", info.dli_fname, reinterpret_cast<size_t>(address) - reinterpret_cast<size_t>(info.dli_fbase));
  int failed = 0;
  const std::unique_ptr<char, void (*)(void*)> plain(abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &failed), &std::free);
  return failed == 0 ? plain.get() : info.dli_sname;
}

}  // namespace

std::vector<std::string> stack_of(pthread_t thread) {
  std::array<void*, 1> first;
  ::backtrace(first.data(), 1);  // loads what it needs, which a handler may not
  struct sigaction action {
  }, before{};
  action.sa_handler = &answer;
  action.sa_flags = SA_RESTART;
  answered = -1;
  if (::sigaction(signal_asked, &action, &before) != 0 || ::pthread_kill(thread, signal_asked) != 0) return {};
  for (int waited = 0; answered < 0 && waited < answer_ms; ++waited) ::usleep(1000);
  std::vector<std::string> stack;
  // The first two are the handler and its return. A handler that is called later finds a place to write to: it stays.
  for (int i = 2; i < answered; ++i) stack.push_back(name_of(frames[static_cast<size_t>(i)]));
  return stack;
}

}  // namespace reloadlab::sim::cuda
