#pragma once
// Copies of loads into kernel tensors. Where a launch costs more than the bytes, small ones are gathered and go out as one operator; those
// that the operator has no kernel for (strided, another element type, another device) go out by themselves, at once, as large ones do.
// What is large, by itself or gathered, goes over lanes.
#include "reference/layerwise/lanes.h"
#include "reference/layerwise/policy.h"

namespace reloadlab::layerwise {

class Transfer {
 public:
  explicit Transfer(Gather gather) : gather_(gather) {}
  // Copies `copy.from` to where `copy.to` lies in its storage, in the kernel's. REQUIRES that no copy since the last join touches a byte
  // of it, and that the source keeps its bytes until the next flush.
  void add(const at::Tensor& kernel, const PlainCopy& copy);
  // Issues what waits, after what the stream holds on which it was added.
  void flush();
  // And what is issued to that stream from now on finds it done.
  void join();
  // Forgets what waits, and joins.
  void drop();

 private:
  // Bytes of two storages that lie in a row in both.
  struct Run {
    at::Tensor to, from;
    int64_t to_start, from_start, bytes;
  };
  void extend(Run run);
  void issue(c10::Stream stream, const std::vector<PlainCopy>& copies, int64_t bytes, c10::function_ref<void()> call);
  bool can_gather(const at::Tensor& kernel, const PlainCopy& copy, int64_t bytes) const;

  Gather gather_;
  std::vector<Run> runs_;
  int64_t bytes_ = 0;
  std::optional<c10::Stream> stream_;  // of what waits
  Lanes lanes_;
};

}  // namespace reloadlab::layerwise
