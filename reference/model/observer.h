#pragma once
// What an engine may say about itself while it works. Hints for reports, and the only source for laws about what was reported
// (coverage); everything else the harness sees for itself.
#include <cstdint>
#include <string_view>

namespace reloadlab::model {

enum class EngineEventKind {
  armed,         // a reload began on the layer
  load_counted,  // numel: what this call added to the layer's progress
  load_dropped,  // the layer is not armed, or its policy drops the load
  completed,     // the last missing element has arrived
  processed,     // post-load processing has run
  copied_back,   // kernel tensors hold the new bytes
  disarmed,
  missing,     // coverage: an expected tensor (slot) got no load, or not all its elements
  excess,      // coverage: a load after completion, or of elements already there
  unexpected,  // coverage: a name that no layer takes
  warning,
};

// Views are valid during the call only.
struct EngineEvent {
  EngineEventKind kind;
  std::string_view layer;
  std::string_view slot;
  int64_t numel = 0;
  std::string_view detail;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on(const EngineEvent& event) = 0;
};

}  // namespace reloadlab::model
