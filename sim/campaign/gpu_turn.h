#pragma once
// Whose turn it is on the GPUs of this host. Ranks that meet wait there for each other; ranks of two cases that share a GPU would each keep
// the other's partner from it, and both would wait for ever, or as long as time slices last. So one such case is played at a time,
// whichever process plays it: of this campaign, of another part of it, or of another campaign.
#include "reference/base/status.h"

namespace reloadlab::sim {

class GpuTurn {
 public:
  // Waits for it. Nobody who dies keeps it: it is a lock on a file (`reloadlab-gpus.lock` among the temporary ones), which
  // lies there ever after.
  static Result<GpuTurn> take();
  GpuTurn(GpuTurn&& other) noexcept;
  GpuTurn& operator=(GpuTurn&&) = delete;
  ~GpuTurn();

 private:
  explicit GpuTurn(int file) : file_(file) {}
  int file_;
};

}  // namespace reloadlab::sim
