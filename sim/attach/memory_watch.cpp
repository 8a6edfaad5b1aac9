#include "sim/attach/memory_watch.h"

#include <c10/util/Logging.h>

#include <algorithm>

namespace reloadlab::sim {

class MemoryWatch::Count final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
    now += size;
    peak = std::max(peak, now);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t now = 0, peak = 0;
};

// A warning for each block that is freed and was there before would bury what the update itself has to say.
MemoryWatch::MemoryWatch() : count_(std::make_shared<Count>()), warns_from_(FLAGS_caffe2_log_level) {
  FLAGS_caffe2_log_level = std::max(warns_from_, 2);
  c10::ThreadLocalDebugInfo::_push(c10::DebugInfoKind::PROFILER_STATE, count_);
}

MemoryWatch::~MemoryWatch() { stop(); }

void MemoryWatch::stop() {
  if (c10::ThreadLocalDebugInfo::get(c10::DebugInfoKind::PROFILER_STATE) != count_.get()) return;
  c10::ThreadLocalDebugInfo::_pop(c10::DebugInfoKind::PROFILER_STATE);
  FLAGS_caffe2_log_level = warns_from_;
}

int64_t MemoryWatch::peak() const { return count_->peak; }
int64_t MemoryWatch::now() const { return count_->now; }

}  // namespace reloadlab::sim
