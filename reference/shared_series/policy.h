#pragma once
// What a shared-weight series does where implementations differ. Spellings, profiles and tables: reference/base/policy_table.h.
//
// This header names no LibTorch header.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::shared_series {

// Which layer reach(i) fetches (SW3).
enum class Target {
  absolute,  // (i + k) mod L + s: k ahead only where s is a multiple of L
  relative,  // (i - s + k) mod L + s
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

// What becomes of a series that has fallen out of step, or whose owners got new weights.
enum class Recovery {
  none,   // there is no drain, reset or reload
  reset,  // the first k windows are filled again
};

struct SeriesPolicy {
  Target target = Target::absolute;
  Refill refill = Refill::current_stream;
  Join join = Join::first;
  Order order = Order::trusted;
  Recovery recovery = Recovery::none;

  static SeriesPolicy seed() { return {}; }
  static SeriesPolicy hardened();
  bool operator==(const SeriesPolicy&) const = default;
};

Result<SeriesPolicy> parse_policy(std::string_view text);
std::string spell_policy(const SeriesPolicy& policy);
std::map<std::string, std::string> declared_policies(const SeriesPolicy& policy);
std::vector<std::string_view> policy_profiles();

}  // namespace reloadlab::shared_series
