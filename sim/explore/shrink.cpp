#include "sim/explore/shrink.h"

#include <algorithm>

#include "reference/base/check.h"
#include "sim/explore/follow.h"
#include "sim/explore/stopwatch.h"

namespace reloadlab::sim::explore {
namespace {

using modelled::ActorId;

class Shrinker {
 public:
  Shrinker(const Program& program, const Execution& run, const Same& same, const Limits& limits)
      : program_(program), same_(same), limits_(limits), best_{run, preemptions(run), 0, false} {}

  Shrunk shrink() {
    while (without_one()) {
    }
    for (int64_t bound = 0; bound < best_.preemptions && within_limits(); ++bound)
      if (!search(bound)) return best_;
    best_.fewest = within_limits();
    return best_;
  }

 private:
  bool within_limits() const { return best_.executions < limits_.executions && watch_.seconds() < limits_.seconds; }

  bool without_one() {
    for (const Decision& decision : best_.run.decisions) {
      if (!preempts(best_.run, decision)) continue;
      auto at = static_cast<size_t>(decision.turn);
      if (try_order(goes_on(at)) || try_order(comes_later(at))) return true;
    }
    return false;
  }

  // The turns that the actor before `at` took next move in front of the others.
  Following goes_on(size_t at) const {
    Following what = order_of(best_.run);
    auto [begin, end] = next_turns(what.order, at);
    std::rotate(what.order.begin() + at_of(at), what.order.begin() + at_of(begin), what.order.begin() + at_of(end));
    return what;
  }
  // The turns that it took last move behind the others.
  Following comes_later(size_t at) const {
    Following what = order_of(best_.run);
    auto [begin, end] = next_turns(what.order, at);
    size_t first = at;
    while (first > 0 && what.order[first - 1] == what.order[at - 1]) --first;
    std::rotate(what.order.begin() + at_of(first), what.order.begin() + at_of(at), what.order.begin() + at_of(begin));
    return what;
  }
  static std::ptrdiff_t at_of(size_t index) { return static_cast<std::ptrdiff_t>(index); }
  static std::pair<size_t, size_t> next_turns(const std::vector<ActorId>& order, size_t at) {
    size_t begin = at;
    while (begin < order.size() && order[begin] != order[at - 1]) ++begin;
    size_t end = begin;
    while (end < order.size() && order[end] == order[at - 1]) ++end;
    return {begin, end};
  }

  bool try_order(Following what) {
    if (!within_limits()) return false;
    Execution run = run_with(program_, follow(std::move(what), nullptr, nullptr));
    ++best_.executions;
    return take(run);
  }
  bool take(const Execution& run) {
    int64_t count = preemptions(run);
    if (run.ended_by_chooser || !same_(run.outcome) || count >= best_.preemptions) return false;
    best_.run = run;
    best_.preemptions = count;
    return true;
  }

  // False where the bound was not searched to its end, or holds a run that ends so.
  bool search(int64_t bound) {
    DepthFirst how{.reduced = false, .preemptions = bound, .limits = limits_};
    how.limits.executions = limits_.executions - best_.executions;
    how.limits.seconds = limits_.seconds - watch_.seconds();
    bool found = false;
    Coverage coverage = depth_first(program_, how, [&](const Execution& run) { return !(found = take(run)); });
    best_.executions += coverage.executions;
    best_.fewest = found;  // all smaller bounds were searched to their ends
    return coverage.exhausted && !found;
  }

  const Program& program_;
  const Same& same_;
  Limits limits_;
  Stopwatch watch_;
  Shrunk best_;
};

}  // namespace

Shrunk shrink(const Program& program, const Execution& run, const Same& same, const Limits& limits) {
  RELOADLAB_CHECK(same(run.outcome), "what is shrunk is one of those that end so");
  return Shrinker(program, run, same, limits).shrink();
}

}  // namespace reloadlab::sim::explore
