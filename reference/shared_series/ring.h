#pragma once
// The windows of a series, who lives in them and who reads them.
//
//   empty ──fetch──▶ in flight ──wait──▶ in use ──done──▶ ready ──┐
//     ▲                  └───────────drain──────────────────▲     │
//     └─────────reset── any                                 └─────┘ wait: in use again; fetch: in flight
#include <c10/core/Event.h>

#include <optional>
#include <vector>

#include "reference/model/c10d_names.h"
#include "reference/shared_series/index.h"
#include "reference/shared_series/policy.h"

namespace reloadlab::shared_series {

enum class SlotState {
  empty,
  in_flight,  // its broadcast has been issued, and nobody has waited for it
  ready,      // some stream comes after its broadcast
  in_use,     // a reader has waited, and is not done
};

// What one stream has to do with a window's tenant.
struct Reader {
  Reader(const c10::Stream& reader_stream) : stream(reader_stream), event(reader_stream.device_type()) {}  // NOLINT: implicit on purpose
  c10::Stream stream;
  c10::Event event;       // behind the last reader that was done; used again for later tenants
  bool joined = false;    // the stream comes after the broadcast
  bool open = false;      // waited, and not done since
  bool recorded = false;  // the event stands behind a reader of this tenant
  bool involved() const { return joined || open || recorded; }
};

struct Window {
  at::Tensor memory;
  std::vector<at::Tensor> wire;  // the memory, as broadcasts take it
  std::optional<SeriesOffset> tenant;
  int64_t version = 0;
  SlotState state = SlotState::empty;
  c10::intrusive_ptr<c10d::Work> arrival;  // the broadcast that brings the tenant; null once nobody has to wait for it
  std::vector<Reader> readers;
  bool holds(SeriesOffset layer, int64_t of_version) const { return tenant == layer && version == of_version; }
};

class Ring {
 public:
  // Devices without streams (CPU, meta) do everything when it is called: there is nobody to be ordered after.
  Ring(const SeriesPolicy& policy, c10::DeviceType device)
      : policy_(policy), has_streams_(device != c10::DeviceType::CPU && device != c10::DeviceType::Meta) {}
  std::vector<Window> windows;
  WindowSlot next{0};  // rolling: the slot that the next reach() fills

  Window& at(WindowSlot slot) { return windows[static_cast<size_t>(slot.value)]; }
  void roll() { next.value = (next.value + 1) % static_cast<int64_t>(windows.size()); }

  void join(Window& window, const c10::Stream& current);        // SW4
  void add_reader(Window& window, const c10::Stream& current);  // what `current` holds now has read the window
  void refill(Window& window, const c10::Stream& current);      // `current` may issue the next broadcast into the window
  // `current` comes after everything; all of it is forgotten, also what cannot be waited for (then it throws at the end).
  void drain(const c10::Stream& current);
  // What comes from now on may be in a capture.
  void note_outside(const c10::Stream& current);
  // Whether a capture has begun since: it cannot wait for what was noted. Costs a capture its life.
  bool in_capture(const c10::Stream& current);

 private:
  static Reader& reader(Window& window, const c10::Stream& stream);
  void finish(Reader& one, const c10::Stream& current) const;  // `current` comes after it
  SeriesPolicy policy_;
  bool has_streams_;
  std::optional<c10::Event> outside_;  // recorded in no capture
};

}  // namespace reloadlab::shared_series
