#pragma once
// Whose turn it is on the GPUs of this host. Ranks that meet wait there for each other; ranks of two cases that share a GPU would each keep
// the other's partner from it, and both would wait for ever, or as long as time slices last. So one such case is played at a time,
// whichever process plays it: of this campaign, of another part of it, or of another campaign.
#include <functional>

#include "reference/base/status.h"

namespace reloadlab::sim {

class GpuTurn {
 public:
  // Waits for it; `waiting` is called now and then meanwhile, and may be empty. Nobody who dies keeps it: it is a lock on a file
  // (`reloadlab-gpus.lock` among the temporary ones), which lies there ever after. Who gives it back and wants it again comes behind who
  // is waiting: that one holds a second lock (`reloadlab-gpus-next.lock`).
  static Result<GpuTurn> take(const std::function<void()>& waiting);
  GpuTurn(GpuTurn&& other) noexcept;
  GpuTurn& operator=(GpuTurn&&) = delete;
  ~GpuTurn();

 private:
  static Result<GpuTurn> lock(const char* name, const std::function<void()>& waiting);
  explicit GpuTurn(int file) : file_(file) {}
  int file_;
};

}  // namespace reloadlab::sim
