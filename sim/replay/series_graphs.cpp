// Captures and replays of passes.
#include "reference/model/guard.h"
#include "sim/replay/series_player.h"

namespace reloadlab::sim {

Status SeriesPlayer::capture(const Step& step) {
  captured_.clear();
  captured_sent_.clear();
  if (Status drained = drain(); !drained.ok() && drained.code() != Code::unsupported) return drained;
  return scene_.supervised([&]() -> Status {
    graph_ = scene_.world.make_graph({});
    RELOADLAB_TRY(graph_call(&DeviceGraph::capture_begin));
    capturing_ = true;
    Status status = scene_.supervised([&] { return pass(step); });  // whatever comes out of it, the capture ends
    capturing_ = false;
    if (status.ok())
      if (Status drained = drain(); !drained.ok() && drained.code() != Code::unsupported) status = drained;
    return end_capture(std::move(status));
  });
}

// The harness calls it, and no candidate: what comes out of it is why the step fails, and nobody's crash.
Status SeriesPlayer::graph_call(void (DeviceGraph::*call)()) {
  return model::guarded([&] {
    (graph_.get()->*call)();
    return Status();
  });
}

// A pass that failed may leave what cannot be captured: why it failed is told, and not what comes of that.
Status SeriesPlayer::end_capture(Status status) {
  Status ended = graph_call(&DeviceGraph::capture_end);
  if (status.ok()) status = std::move(ended);
  if (!status.ok()) graph_.reset();
  return status;
}

Status SeriesPlayer::replay() {
  about("replay");
  if (!graph_) return {Code::failed, "there is no graph: its capture failed"};
  return scene_.supervised([&]() -> Status {
    for (const Sent& sent : captured_sent_) tell(EventKind::collective, sent);
    RELOADLAB_TRY(graph_call(&DeviceGraph::replay));
    AccountScope nobody(nullptr);
    const model::TapPause unseen(model::Tap::harness);
    for (const Taken& each : captured_) seen(each.read, each.copy.defined() ? each.copy.clone() : at::Tensor());
    return {};
  });
}

}  // namespace reloadlab::sim
