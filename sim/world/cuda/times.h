#pragma once
// When streams of the current device came to points that were marked.
#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

namespace reloadlab::sim::cuda {

class Times {
 public:
  Times();  // measures how fast the device's clock goes, which takes a few milliseconds
  ~Times();
  Times(const Times&) = delete;
  Times& operator=(const Times&) = delete;
  double cycles_of_a_picosecond() const { return cycles_of_a_picosecond_; }
  int64_t mark();                  // on the current stream: its number
  int64_t of(int64_t mark) const;  // picoseconds since the first one; -1: its stream has not come there

 private:
  std::vector<cudaEvent_t> marks_;
  double cycles_of_a_picosecond_;
};

}  // namespace reloadlab::sim::cuda
