#pragma once
// The shared-weight series, rules SW1-SW5: L layers of one shape, each of which lives on one rank, i mod n. The other ranks read it
// through a ring of k + 1 windows, which broadcasts fill k layers ahead of the forward pass.
//
//   k = 2, three windows       reach(4) ──▶ starts layer 6 into the slot that held 3
//   slot 0: 6 in flight        wait(4)      the forward of 4 comes after its broadcast
//   slot 1: 4                  done(4)      the forward has been issued on the current stream
//   slot 2: 5
//
//   register_layer   each layer, on every rank, before loading (SW1)
//   [loads]          owners load; on other ranks the layer's loader does nothing
//   finish_loading   once, after all loads: post-load steps run, windows are filled (SW2)
//   per pass, layer by layer:  reach (SW3) · wait (SW4) · forward · done
//
// Everything but register_layer is collective: every rank calls it in the same order. All of it is issued to the caller's current
// stream and to the group's own; nothing blocks the host. Streams that read come after the one on which finish_loading or drain was
// called. Memory beyond what owners hold is k + 1 windows (SW5); until finish_loading
// has returned also the template, and one layer at a time that is being processed.
//
// What a policy refuses comes back as Code::misuse, with nothing issued. Under seed a check that fails is Code::failed, and the ring
// has already moved on, as an assertion at that place would leave it.
#include <memory>

#include "reference/model/layer.h"
#include "reference/model/series_context.h"
#include "reference/shared_series/index.h"
#include "reference/shared_series/policy.h"

namespace reloadlab::shared_series {

// What owners' new weights look like when a reload begins and when it ends.
enum class Arrival {
  in_place,    // processed: written over the weights that owners hold
  checkpoint,  // as checkpoints have them: through the parameters' loaders, on every rank
};

// One instance serves one series on one rank, on that rank's thread. The layers outlive it.
class SharedSeries {
 public:
  virtual ~SharedSeries() = default;
  // Group and look-ahead are the series'; they come from its making.
  virtual Status register_layer(const model::LayerPtr& layer, LayerIndex index) = 0;
  virtual Status finish_loading() = 0;
  virtual Status reach(LayerIndex index) = 0;
  virtual Status wait(LayerIndex index) = 0;
  // The layer's readers are all issued: to the current stream, or to streams that it comes after.
  virtual Status done(LayerIndex index) = 0;
  // The current stream comes after every broadcast in flight.
  virtual Status drain() = 0;
  // The next pass begins at the first layer, wherever the last one stopped: k broadcasts.
  virtual Status reset() = 0;
  // Owners are about to get new weights, which may be written when it has returned: what is in flight comes first.
  virtual Status begin_reload(Arrival arrival) = 0;
  // Owners hold the weights that begin_reload() announced, issued to their current streams: a new version from the next pass on.
  virtual Status reload() = 0;
  // For a timeout: publishes what this rank has issued, and compares with what others have published. A failure names the first
  // operation that differs, or the rank that has not come so far. Issues nothing and waits for nobody.
  virtual Status compare_sequences() = 0;
};

std::unique_ptr<SharedSeries> make_series(const SeriesPolicy& policy, const model::SeriesContext& context);

}  // namespace reloadlab::shared_series
