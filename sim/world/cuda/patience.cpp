#include "sim/world/cuda/patience.h"

#include <chrono>

namespace reloadlab::sim::cuda {

Patience::Patience(double seconds, std::function<void()> give_up)
    : watcher_([this, seconds, give_up = std::move(give_up)] { watch(seconds, give_up); }) {}

Patience::~Patience() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  watcher_.join();
}

void Patience::goes_on() {
  const std::lock_guard lock(mutex_);
  moved_ = true;
  changed_.notify_all();
}

void Patience::rest(bool resting) {
  const std::lock_guard lock(mutex_);
  resting_ = resting;
  moved_ = true;
  changed_.notify_all();
}

void Patience::watch(double seconds, const std::function<void()>& give_up) {
  std::unique_lock lock(mutex_);
  while (!over_) {
    if (!changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return moved_ || over_; }) && !resting_) {
      lock.unlock();
      return give_up();
    }
    moved_ = false;
  }
}

}  // namespace reloadlab::sim::cuda
