#include "sim/campaign/alarm.h"

namespace reloadlab::sim {

Alarm::Alarm(double seconds, std::function<void()> rings)
    : patience_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))),
      rings_(std::move(rings)),
      watcher_([this] { watch(); }) {}

Alarm::~Alarm() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_one();
  watcher_.join();
}

// Who waits for an earlier time wakes then, and sees that it has moved.
void Alarm::set() {
  const std::lock_guard lock(mutex_);
  const bool was_set = due_.has_value();
  due_ = Clock::now() + patience_;
  if (!was_set) changed_.notify_one();
}

void Alarm::clear() {
  const std::lock_guard lock(mutex_);
  due_.reset();
}

void Alarm::watch() {
  std::unique_lock lock(mutex_);
  while (!ends_) {
    if (!due_) {
      changed_.wait(lock);
    } else if (Clock::now() < *due_) {
      changed_.wait_until(lock, Clock::time_point(*due_));
    } else {
      due_.reset();
      lock.unlock();
      rings_();
      lock.lock();
    }
  }
}

}  // namespace reloadlab::sim
