#pragma once
// What a run leaves on GPUs, by the word of their driver: memory of processes that are gone comes back, or it is told.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace reloadlab::sim {

class GpuMemory {
 public:
  // `in_use` says it of each GPU, whoever uses it; null: there are none to ask about.
  explicit GpuMemory(std::function<std::vector<int64_t>()> in_use);
  // Bytes that are in use on each GPU beyond those before. The driver takes a moment to clean up behind a process: it gets it.
  std::vector<int64_t> left() const;

 private:
  std::function<std::vector<int64_t>()> in_use_;
  std::vector<int64_t> before_;
};

// A line for each GPU that holds more than before; empty where none does.
std::string left_text(const std::vector<int64_t>& left);

}  // namespace reloadlab::sim
