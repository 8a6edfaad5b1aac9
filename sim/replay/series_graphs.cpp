// Captures and replays of passes.
#include "reference/model/guard.h"
#include "sim/replay/graphs.h"
#include "sim/replay/series_player.h"

namespace reloadlab::sim {

Status SeriesPlayer::capture(const Step& step) {
  captured_.clear();
  captured_sent_.clear();
  if (Status drained = drain(); !drained.ok() && drained.code() != Code::unsupported) return drained;
  return scene_.supervised([&]() -> Status {
    graph_ = scene_.world.make_graph({});
    Status status = record_into(*graph_, [&]() -> Status {
      capturing_ = true;
      Status passed = scene_.supervised([&] { return pass(step); });  // whatever comes out of it, the capture ends
      capturing_ = false;
      if (!passed.ok()) return passed;
      Status drained = drain();
      return drained.code() == Code::unsupported ? Status() : drained;
    });
    if (!status.ok()) graph_.reset();
    return status;
  });
}

Status SeriesPlayer::replay() {
  about("replay");
  if (!graph_) return {Code::failed, "there is no graph: its capture failed"};
  return scene_.supervised([&]() -> Status {
    for (const Sent& sent : captured_sent_) tell(EventKind::collective, sent);
    RELOADLAB_TRY(model::guarded([&] { return graph_->replay(), Status(); }));
    AccountScope nobody(nullptr);
    const model::TapPause unseen(model::Tap::harness);
    for (const Taken& each : captured_) seen(each.read, each.copy.defined() ? each.copy.clone() : at::Tensor());
    return {};
  });
}

}  // namespace reloadlab::sim
