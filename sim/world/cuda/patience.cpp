#include "sim/world/cuda/patience.h"

#include <chrono>

namespace reloadlab::sim::cuda {

Patience::Patience(double seconds, std::function<void()> give_up, std::function<void()> end)
    : watcher_([this, seconds, give_up = std::move(give_up), end = std::move(end)] { watch(seconds, give_up, end); }) {}

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

void Patience::watch(double seconds, const std::function<void()>& give_up, const std::function<void()>& end) {
  using Seconds = std::chrono::duration<double>;
  std::unique_lock lock(mutex_);
  while (changed_.wait_for(lock, Seconds(seconds), [this] { return moved_ || over_; }) || resting_) {
    if (over_) return;
    moved_ = false;
  }
  lock.unlock();
  give_up();
  lock.lock();
  if (changed_.wait_for(lock, Seconds(2 * seconds), [this] { return over_; })) return;
  lock.unlock();
  end();
}

}  // namespace reloadlab::sim::cuda
