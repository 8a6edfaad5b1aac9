#pragma once
// A rank's memory for weights, as engines have it: a pool whose physical pages can be given back while its addresses stay.
//
// Whoever touches it while it sleeps has made a mistake. What the worlds see of that:
//   cpu    what was written, when they are asked; they read poison
//   sim    each access, with its operator and stream, when it is executed; it does nothing
//   cuda   an illegal address, which ends what the process can do on its GPU
#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace reloadlab::sim {

class WeightPool {
 public:
  virtual ~WeightPool() = default;
  // Whether what the rank allocates on its device, from here on, lies in the pool.
  virtual void open(bool open) = 0;
  // Once the rank's current stream has come here. `keeps`: contents are copied to the host before; `names` are for messages.
  virtual void sleep(bool keeps, std::vector<std::pair<std::string, at::Tensor>> names) = 0;
  // Other pages at the same addresses, with what was kept, or poison.
  virtual void wake() = 0;
  // The first access to it while it slept, of those that were not told yet; empty: none. It waits for what is under way.
  virtual std::string touched() = 0;

 private:
  friend class PoolScope;
  int scopes_ = 0;  // that live
};

// While one lives, what the rank allocates lies in the pool; null: wherever else it would.
class PoolScope {
 public:
  explicit PoolScope(WeightPool* pool) : pool_(pool) {
    if (pool_ && pool_->scopes_++ == 0) pool_->open(true);
  }
  ~PoolScope() {
    if (pool_ && --pool_->scopes_ == 0) pool_->open(false);
  }
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  WeightPool* pool_;
};

}  // namespace reloadlab::sim
