#pragma once
// Says so when it was set and neither set again nor cleared for a while: a watch over a thread that may not come back.
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace reloadlab::sim {

class Alarm {
 public:
  // `rings` is called in a thread of the alarm's, once for each time that it was set and forgotten.
  Alarm(double seconds, std::function<void()> rings);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  void set();
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void watch();

  const Clock::duration patience_;
  const std::function<void()> rings_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Clock::time_point> due_;
  bool ends_ = false;
  std::thread watcher_;
};

}  // namespace reloadlab::sim
