#pragma once
// Whose memory on the GPU is whose. LibTorch's caching allocator tells of every block that it gives and takes back, under its lock: no call
// of LibTorch is made in answer. Where its allocator is the driver's (cudaMallocAsync) its calls of the runtime are heard instead. An
// address that comes back is another generation, with a number of its own.
//
// Fresh blocks are filled with the account's poison on the stream that they are for, and so are blocks that were given back, once no stream
// uses them any more.
#include "sim/world/account.h"
#include "sim/world/cuda/observer.h"

namespace reloadlab::sim::cuda {

// While one lives, allocations of the process are charged to an account; before and after, to nobody's. The observer is told what is
// filled.
class Charged {
 public:
  explicit Charged(AccountPtr account, Observer* observer = nullptr);
  ~Charged();
  Charged(const Charged&) = delete;
  Charged& operator=(const Charged&) = delete;
};
// Attaches to the allocator; any number of calls.
void install_ledger();

}  // namespace reloadlab::sim::cuda
