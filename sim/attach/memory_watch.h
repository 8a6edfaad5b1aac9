#pragma once
// Counts what the calling thread allocates and frees, on any device, while it lives: LibTorch's allocators say so to it. A profiler that
// watches memory at the same time hears nothing meanwhile.
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <memory>

namespace reloadlab::sim {

class MemoryWatch {
 public:
  MemoryWatch();
  ~MemoryWatch();  // REQUIRES the thread that made it; of several the last one goes first
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  void stop();  // hears no more; what was counted stays
  // Bytes beyond those that were there when it was made: the most at a time, and now. What was there may have been freed: below zero; but
  // of the CPU's memory nobody hears that which came to be while no watch was there.
  int64_t peak() const;
  int64_t now() const;

 private:
  class Count;
  std::shared_ptr<Count> count_;
  int warns_from_;
};

}  // namespace reloadlab::sim
