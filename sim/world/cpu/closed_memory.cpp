#include "sim/world/cpu/closed_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <utility>

#include "reference/base/check.h"
#include "sim/world/account.h"

namespace reloadlab::sim {
namespace {

// A handler takes no lock and no memory: places are few, and each belongs to one range at a time.
struct Place {
  std::atomic<uintptr_t> begin = 0;  // 0: free
  size_t bytes = 0;
  std::string what;
};
std::array<Place, 4096> places;
std::atomic<const Place*> touched = nullptr;
std::string untold;  // what was touched and is released since
struct sigaction before;

Place* place_of(uintptr_t address) {
  for (Place& place : places) {
    const uintptr_t begin = place.begin;
    if (begin != 0 && address >= begin && address - begin < place.bytes) return &place;
  }
  return nullptr;
}

// Of other addresses the touch is done once more, and ends as it would have.
void on_fault(int, siginfo_t* info, void*) {
  Place* place = place_of(reinterpret_cast<uintptr_t>(info->si_addr));
  if (!place) {
    (void)::sigaction(SIGSEGV, &before, nullptr);
    return;
  }
  void* const begin = reinterpret_cast<void*>(place->begin.load());
  ::mprotect(begin, place->bytes, PROT_READ | PROT_WRITE);
  std::memset(begin, static_cast<int>(poison_byte(0)), place->bytes);
  const Place* none = nullptr;
  touched.compare_exchange_strong(none, place);
}

void handle_faults() {
  struct sigaction current {};
  (void)::sigaction(SIGSEGV, nullptr, &current);
  if (current.sa_sigaction == &on_fault) return;
  struct sigaction own {};
  own.sa_sigaction = &on_fault;
  own.sa_flags = SA_SIGINFO;
  ::sigemptyset(&own.sa_mask);
  (void)::sigaction(SIGSEGV, &own, &before);
}

}  // namespace

void close_memory(void* begin, size_t bytes, const std::string& what) {
  handle_faults();
  const auto free = std::ranges::find_if(places, [](const Place& place) { return place.begin == 0; });
  RELOADLAB_CHECK(free != places.end(), "a place for another closed range");
  void* const put = ::mmap(begin, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  RELOADLAB_CHECK(put == begin, "pages are taken away");
  free->bytes = bytes;
  free->what = what;
  free->begin = reinterpret_cast<uintptr_t>(begin);
}

void release_closed_memory(void* begin, size_t bytes) {
  Place* place = place_of(reinterpret_cast<uintptr_t>(begin));
  ::munmap(begin, bytes);
  if (!place) return;
  const Place* it = place;
  if (touched.compare_exchange_strong(it, nullptr)) untold = place->what;
  place->begin = 0;
}

std::string touched_closed_memory() {
  const Place* place = touched.exchange(nullptr);
  const std::string last = std::exchange(untold, {});
  return place ? place->what : last;
}

}  // namespace reloadlab::sim
