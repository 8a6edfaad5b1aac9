#pragma once
// Physical memory of a GPU behind addresses of its own: the driver's virtual memory calls. What is given here can be unmapped and mapped
// again; its address stays.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reloadlab::sim::cuda {

// A range of addresses that was reserved, always a multiple of the device's granularity.
struct Pages {
  uint64_t address = 0;
  size_t bytes = 0;
  uint64_t handle = 0;  // of what is mapped there; 0: nothing is
  int device = 0;
};

// Each throws c10::Error where the driver refuses.
Pages reserve_pages(size_t bytes, int device);  // mapped
void unmap(Pages& pages);                       // REQUIRES that it is mapped
void map_again(Pages& pages);                   // REQUIRES that it is not
// Never throws: what the driver refuses, as where the context was lost, ends with the process.
void release_pages(Pages& pages);

}  // namespace reloadlab::sim::cuda
