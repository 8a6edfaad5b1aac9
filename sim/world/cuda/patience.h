#pragma once
// Gives up what never ends: a thread that makes no CUDA call looks whether anything has gone on since it looked last.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace reloadlab::sim::cuda {

class Patience {
 public:
  // `give_up` is called once, from another thread, where nothing went on for so many seconds; and `end` where that was of no use: this
  // is still there after twice as long.
  Patience(double seconds, std::function<void()> give_up, std::function<void()> end);
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  void goes_on();
  // While peers are waited for who may take as long as they like.
  void rest(bool resting);

 private:
  void watch(double seconds, const std::function<void()>& give_up, const std::function<void()>& end);
  std::mutex mutex_;
  std::condition_variable changed_;
  bool moved_ = false, resting_ = false, over_ = false;
  std::thread watcher_;
};

}  // namespace reloadlab::sim::cuda
