#pragma once
// The shared-weight series, rules SW1-SW5: L layers of one shape, each of which lives on one rank, i mod n. The other ranks read it
// through a ring of k + 1 windows, which broadcasts fill k layers ahead of the forward pass.
//
//   k = 2, three windows       reach(4) ──▶ starts layer 6 into the slot that held 3
//   slot 0: 6 in flight        wait(4)      the forward of 4 comes after its broadcast
//   slot 1: 4                  done(4)      the forward has been issued on the current stream
//   slot 2: 5
//
//   register_layer   each layer, on every rank, before loading (SW1). Its post-load step is the series' from now on; its forward waits
//                    first and is done at its end (hooks around what was there)
//   [loads]          owners load; on other ranks the weight's loader does nothing
//   finish_loading   once, after all loads: post-load steps run, windows are filled (SW2)
//   per pass, layer by layer:  reach (SW3) · forward, or wait (SW4) · what reads the weight · done
//
// reach, finish_loading, reset, begin_reload and reload are collective: every rank calls them in the same order. All of it is issued to
// the caller's current stream and to the group's own; nothing blocks the host. Streams that read come after the one on which
// finish_loading or drain was called.
//
// What a policy refuses comes back as Code::misuse, with nothing issued and the same on every rank. Under seed a check that fails is
// Code::failed, and the ring has already moved on, as an assertion at that place would leave it. Everything below is what the hardened
// profile promises on top.
//
// Order.     reach() of another layer than the next one, of a layer while the one before is in use, a read of another layer than the one
//            that was reached last: refused. reset() begins a pass anew after whatever happened.
// Readers.   A window is filled again after every stream that waited for its layer: after its done(), or after all that it holds where
//            done() was not called on it. wait() and done() may come more than once, by the hooks and by hand.
// Failure.   A broadcast that could not be issued, or a difference between ranks, stops the series: reach() says why until reset().
// Graphs.    drain() before a capture begins and, inside of it, before it ends. Replays need passes whose addresses and state are those
//            of any other one: binding=static, or a number of windows that divides the layers; else that drain refuses. Capture whole
//            passes, and replay between passes: in the middle of one, windows hold later layers. What a capture that was given up had
//            issued is forgotten by reset().
// Loads.     finish_loading() is Code::rejected, before anything is issued, where the loads before it brought more of one layer than of
//            another, and can be called again when what lacks has come. Loaders of registered layers refuse outside of the first load and a
//            reload from a checkpoint, on every rank. What a weight's loader refuses on its owner is refused on the others, which let it
//            write to a tensor without memory.
// Weights.   Layers are alike before and after their post-load steps; a weight has no gaps and nothing else in its layer is a view of
//            it. Its strides may be any: windows have them too. The step may put another parameter in its place.
// Sequence.  Where the context has a store, ranks publish at the end of each pass what they have issued to the communicator, for whichever
//            series, and compare what others have published by then (operation_log.h). Keys are shared_series/NAME/RANK: names of series
//            are unique in the store.
//
// Memory beyond what owners hold is k + 1 windows (SW5), and one element for a weight that lives elsewhere until a window first holds it.
//   until finish_loading has returned    one layer at a time that is being processed, and its processed form; under seed the template,
//                                        of which one element stays
//   from begin_reload(checkpoint) on     on owners, the tensors of owned layers as they were registered
//   in reload() after that               one layer at a time as registered, and its processed form
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

// One instance serves one series on one rank, on that rank's thread. It may go before its layers: their weights are then what they are,
// and their loaders refuse.
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
  // The current stream comes after every broadcast in flight and every reader, and a layer that was read has to be reached again. A second
  // one finds nothing to do.
  virtual Status drain() = 0;
  // The next pass begins at the first layer, wherever the last one stopped: k broadcasts. Gives an open reload up: what was written in
  // place stays written; a checkpoint's tensors are dropped. Ranks are alike again wherever each of them had given a reload up.
  virtual Status reset() = 0;
  // Owners are about to get new weights, which may be written when it has returned: what is in flight comes first. Until reload()
  // nothing is read. For a checkpoint, layers have the tensors that they were registered with, and loaders write on owners.
  virtual Status begin_reload(Arrival arrival) = 0;
  // Owners hold the weights that begin_reload() announced, issued to their current streams: a new version from the next pass on, k
  // broadcasts. From a checkpoint there are L more: each layer goes the way of the first load, and the results are copied into the
  // tensors that were there; Code::rejected, and the old version goes on, where a layer lacks what the first load brought.
  // A failure in the middle keeps the series shut until a reload succeeds. Other series of the model know nothing of it: an engine that
  // wants all or nothing delivers again what was refused, before it serves.
  virtual Status reload() = 0;
  // Memory of the model is unmapped between the two, and what the first has waited for is all that was in flight. Where contents are not
  // kept, a reload has to bring the weights of owners before anything is read.
  virtual Status sleep(bool keeps_contents) = 0;
  virtual Status wake() = 0;
  // For a timeout: publishes what this rank has issued, and compares with what others have published. A failure names the first
  // operation that differs, or else the rank that has not come so far. Issues nothing and waits for nobody.
  virtual Status compare_sequences() = 0;
};

std::unique_ptr<SharedSeries> make_series(const SeriesPolicy& policy, const model::SeriesContext& context);

}  // namespace reloadlab::shared_series
