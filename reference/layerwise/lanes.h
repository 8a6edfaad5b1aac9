#pragma once
// Streams beside the caller's one. Between two large copies of one stream a device idles for microseconds; those of two streams overlap.
#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <c10/util/FunctionRef.h>

#include <optional>
#include <vector>

#include "reference/layerwise/accounting/write_tracker.h"

namespace reloadlab::layerwise {

class Lanes {
 public:
  Lanes() = default;
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;
  // Whether the tensor's memory may be in use there: its allocator then keeps it until the streams are done with it.
  static bool may_use(const at::Tensor& tensor);
  // Runs `copies` on the next lane, after all that the caller's stream holds by now. REQUIRES may_use() of all that they touch.
  void issue(c10::Stream caller, const std::vector<PlainCopy>& touched, c10::function_ref<void()> copies);
  // What is issued to the caller's streams from now on runs after all of it.
  void join();

 private:
  struct Lane {
    c10::Stream stream;
    c10::Event event;
    std::optional<c10::Stream> caller;  // that has not joined
  };
  Lane& next(c10::Device device);

  std::vector<Lane> lanes_;
  size_t next_ = 0;
};

}  // namespace reloadlab::layerwise
