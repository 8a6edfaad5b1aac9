#pragma once
// The ways in which the plain series can be wrong, each the mistake of one small change in one place.
#include <span>
#include <string>
#include <string_view>

#include "sim/candidate/candidate.h"

namespace reloadlab::mutants {

enum class RingWrong {
  none,  // nothing: the control, which every law must pass

  // Who waits for whom.
  no_wait,            // reads without waiting for the broadcast
  other_stream,       // lets a stream of its own wait, and not the reader's
  wait_of_previous,   // waits once more for the broadcast that the layer before had waited for
  waits_for_all,      // waits for whatever is in flight, and not for the layer alone
  wait_forgets,       // the first wait forgets the broadcast: a second reader is not ordered
  readers_forgotten,  // refills a window without waiting for its readers
  fork_missing,       // issues broadcasts from a stream of its own, which comes after nobody's
  copy_dropped,       // sends a copy, and frees it while it is being sent
  evicts_at_start,    // clears its windows as a pass begins, on a stream that waits for nobody and nobody for it, and fetches again

  // Who sends what, and where to.
  absolute_target,   // adds the absolute index of the layer
  one_less_ahead,    // counts one layer too few
  relative_root,     // sends from the rank that owns the layer's number in the series
  global_root,       // takes the root for a rank of all, and not of the group
  sent_twice,        // sends each layer twice
  owner_silent,      // does not send what it owns, for it has it already
  late_on_odd,       // odd ranks issue a broadcast as the next layer is reached, where there is time
  halves_on_odd,     // odd ranks send in two halves, as their memory suggests
  backwards_on_odd,  // odd ranks build the series from behind
  tells_a_peer,      // tells the next rank, beside the series' broadcasts, that it began anew

  // Windows.
  spare_window,     // has a window that nobody uses
  window_more,      // uses a window more
  window_less,      // has k windows
  kept_storage,     // somebody keeps the storages of weights that live elsewhere
  orphan,           // stays with the parameter of the registration
  first_shape,      // takes the first layer's shape for everybody's
  windows_first,    // windows are as the weights were before they were processed
  shared_room,      // the first layers share the memory that they were processed in
  fresh_windows,    // each pass has windows of its own
  moved_by_reload,  // a reload takes new windows
  swapped_windows,  // reads a layer where another one had been sent to, after their bytes changed places
  slot_unset,       // takes the last window for a layer that has none yet
  refill_ahead,     // static binding: refills whatever window the layer that is k ahead is bound to

  // Building, and new versions.
  padding_lost,       // a reload's new tensors have no padding
  takes_parts,        // builds of whatever the first load brought
  built_early,        // sends and processes when the first layer has come
  processed_apart,    // each rank processes what it has, and the owner's weight is sent then
  step_lost,          // no post-load step in a reload, for it stands in the layer no more
  first_not_primed,   // a reload fills all windows again but the first
  none_primed,        // a reload fills no window again
  primes_in_turn,     // a reload waits for the windows that it fills again
  scales_moved,       // a reload gives what stands beside a weight other memory
  scales_as_buffers,  // a reload registers what stands beside a weight as buffers
  committed_on_one,   // but for the first rank, what a reload sends is put aside
  reload_undrained,   // a reload does not wait for what is in flight as it begins, nor fetches it again
  refused_on_one,     // a tensor that its owner refuses is as good as any for the others, whose loaders do nothing
  loads_at_any_time,  // loaders write whenever they are called

  // What is asked and answered.
  trusting,            // takes layers in any order, and reads what there is
  captures_any,        // lets passes be captured whose windows are others the next time
  any_look_ahead,      // does not ask whether there are layers enough
  any_indices,         // does not ask whether layers follow one another
  asserts_absence,     // fails where the window holds the layer already
  drains_nothing,      // drain() orders nothing
  resets_nothing,      // reset() does nothing
  reset_keeps_offset,  // reset() goes on with the window that was next
  waits_in_vain,       // reset() and reloads fail where a capture that was given up had issued what never arrives
  process_wide,        // forwards ask the series that was registered last under the layer's path, whichever model it is of
  one_refuses,         // the last rank says that it cannot drain, when it has
};

struct RingMutant {
  RingWrong wrong;
  std::string_view name;  // "ring_no_wait"
  std::string_view law;   // the law that it is for; empty for controls
  bool fixed = false;     // static binding
};

std::span<const RingMutant> ring_mutants();
// Code::usage where there is none of that name.
Result<sim::CandidateInfo> make_ring(std::string_view name);
// The one without a mistake that is otherwise like it.
std::string_view ring_control(std::string_view name);

}  // namespace reloadlab::mutants
