#pragma once
// The ways in which the plain reloader can be wrong, each the mistake of one small change in one place.
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace reloadlab::mutants {

enum class Wrong {
  none,                // nothing: the control, which every law must pass
  stale_derived,       // never runs deferred layers' own post-load step again: what it derives stays that of the old weights
  padding_zeroed,      // clears in its first update what no load writes, whatever its declared value is
  late_zeroed,         // clears parameters that were registered after the record
  order_swayed,        // forgets a layer's last load when its loads came in another order than the model lists them
  finish_only,         // processes every layer at finish, also those that were complete before
  fresh_storage,       // puts the new tensor into the kernel's handle instead of copying into its storage
  hook_left,           // leaves the model's hook for unexpected names bound to itself
  mark_cleared,        // leaves processed layers marked as if they were not
  source_zeroed,       // zeroes delivered tensors after use
  late_lapse,          // is wrong from its fourth update on: forgets each layer's last load
  attributes_dropped,  // leaves the kernel parameters without their attributes
  wrapper_left,        // leaves its wrapper on the parameters
  hoarding,            // keeps every buffered load until finish
  derives_twice,       // runs deferred layers' own post-load step twice
  silent,              // says nothing about what is missing
  lax,                 // takes what it declares to reject
  no_rollback,         // abort puts the handles back, and not the bytes of layers that were copied back already
  layer_kept,          // keeps a layer that it recorded alive when the model dies
  batch_lost,          // moves a layer that has begun to load to a new placeholder, whose loads it forgets
  handle_kept,         // keeps one more parameter alive after every update
  sums,                // completes a layer by the sum of loaded elements, so that a shard that came twice counts twice
  swapped_shards,      // gives a layer's first two loads each other's tensors when their shapes are equal
  dropped_last,        // drops each layer's last load, and so leaves it uninitialized
  early_copy,          // copies back before the post-load step as well
  throwing,            // throws out of finish
  walks_all,           // looks at every placeholder of the model in each load call
  source_cached,       // keeps what its first update was sent by name, and takes it for what later ones are sent
  others_kept,         // copies what belongs to other ranks as well, before it looks, and keeps it until the update ends
  direct_bound,        // leaves layers without post-load step to their own loaders, and does not ask what came
  learns_first,        // takes for plain copies the loaders that the first load did not call
  ranks_apart,         // keeps some scratch from its record on, but on the first rank
  tables_dropped,      // drops what the process keeps outside of the model when an update begins
  tables_left_dead,    // drops it when an update has ended: the model is right, and what looks something up next finds nothing
  nothing_received,    // loads receive buffers that nothing was transferred into (wrappers.h)
};

struct Mutant {
  Wrong wrong;
  std::string_view name;
  std::string_view law;  // the law that it is for; empty for the control
};

std::span<const Mutant> all_mutants();
// Makes them findable as "mutant@name". Once a process.
void register_mutants();

}  // namespace reloadlab::mutants
