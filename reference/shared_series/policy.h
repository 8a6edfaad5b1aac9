#pragma once
// What a shared-weight series does where implementations differ. Spellings, profiles and tables: reference/base/policy_table.h.
//
// This header names no LibTorch header.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::shared_series {

// Whose post-load step a registration takes over (SW1).
enum class Step {
  object,  // the quantization-method object's: a second layer that has the same object records the no-op that stands there by then
  layer,   // the layer's
};

// Which parameter the ring fills and broadcasts where a post-load step has put another one in its place.
enum class Handle {
  registered,  // the one of the registration: an orphan by then, and the forward reads a full copy on every rank
  current,     // the one that the layer has
};

// Weights that windows do not fit.
enum class Layout {
  trusted,  // whatever comes of it
  checked,  // layers that differ, weights with gaps or with views into them are refused; strides go with the windows
};

// Which layer reach(i) fetches (SW3), under rolling binding.
enum class Target {
  absolute,  // (i + k) mod L + s: k ahead only where s is a multiple of L
  relative,  // (i - s + k) mod L + s
};

// Which window a layer gets.
enum class Binding {
  rolling,  // the next one in turn: addresses come back after (k + 1) / gcd(L, k + 1) passes
  fixed,    // that of its offset mod (k + 1), each pass: what graphs need. Spelled "static"
};

// When a window may be overwritten.
enum class Refill {
  current_stream,  // after what the stream of reach() holds: right as long as every reader was on it
  readers,         // after the events of every reader, whatever its stream
};

// Who is ordered after the broadcast into a window (SW4).
enum class Join {
  first,  // the first wait() forgets the broadcast: a second reader on another stream is not ordered
  every,  // every wait()
};

// reach() of another layer than the next one: a skipped, repeated or swapped layer, a pass that stopped early.
enum class Order {
  trusted,  // only what a window holds is compared, when it is too late to refuse
  checked,  // refused before anything is issued; reset() begins anew
};

// When loaders of registered layers write.
enum class Loads {
  always,     // whenever they are called, on the owner; elsewhere a load does nothing
  in_reload,  // before finish_loading() and in a reload from a checkpoint; else they refuse, on every rank
};

// What becomes of a series that has fallen out of step, or whose owners got new weights.
enum class Recovery {
  none,   // there is no drain, reset or reload
  reset,  // the first k windows are filled again
};

// Whether ranks notice that they do not issue the same broadcasts.
enum class Sequence {
  trusted,    // no
  published,  // hashed, published at the end of each pass, and compared
};

struct SeriesPolicy {
  Step step = Step::object;
  Handle handle = Handle::registered;
  Layout layout = Layout::trusted;
  Target target = Target::absolute;
  Binding binding = Binding::rolling;
  Refill refill = Refill::current_stream;
  Join join = Join::first;
  Order order = Order::trusted;
  Loads loads = Loads::always;
  Recovery recovery = Recovery::none;
  Sequence sequence = Sequence::trusted;

  static SeriesPolicy seed() { return {}; }
  static SeriesPolicy hardened();
  bool operator==(const SeriesPolicy&) const = default;
};

Result<SeriesPolicy> parse_policy(std::string_view text);
std::string spell_policy(const SeriesPolicy& policy);
std::map<std::string, std::string> declared_policies(const SeriesPolicy& policy);
std::map<std::string, std::set<std::string>> policy_choices();  // what these may be
std::vector<std::string_view> policy_profiles();

}  // namespace reloadlab::shared_series
