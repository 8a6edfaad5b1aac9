#pragma once
// The windows of a series and who lives in them.
#include <c10/core/Event.h>

#include <optional>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <vector>

#include "reference/shared_series/index.h"
#include "reference/shared_series/policy.h"

namespace reloadlab::shared_series {

struct Window {
  at::Tensor memory;
  std::optional<LayerIndex> tenant;
  c10::intrusive_ptr<c10d::Work> arrival;  // the broadcast that brings the tenant; null once nobody has to wait for it
  std::vector<c10::Event> readers;         // recorded behind each reader of the tenant
};

class Ring {
 public:
  explicit Ring(const SeriesPolicy& policy) : policy_(policy) {}
  std::vector<Window> windows;
  WindowSlot next{0};  // the slot that the next reach() fills

  bool built() const { return !windows.empty(); }
  Window& at(WindowSlot slot) { return windows[static_cast<size_t>(slot.value)]; }
  Window* holding(LayerIndex layer);  // null where no window does
  // Takes the next slot for the layer; the calling stream comes after its readers where the policy says so.
  WindowSlot take(const c10::Stream& current);
  void join(Window& window);
  void add_reader(Window& window, const c10::Stream& current);

 private:
  SeriesPolicy policy_;
};

}  // namespace reloadlab::shared_series
