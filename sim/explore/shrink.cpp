#include "sim/explore/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reference/base/check.h"
#include "reference/base/prng.h"
#include "sim/explore/follow.h"
#include "sim/explore/stopwatch.h"

namespace reloadlab::sim::explore {
namespace {

constexpr uint64_t plain_schedules = 200, drawn_schedules = 200;

// Whoever goes on goes on until it cannot, but for choices at which it is left.
class Unhurried final : public modelled::Chooser {
 public:
  // `way`: where it cannot, the first one goes on, or the last one, or some other.
  Unhurried(uint64_t way, std::set<size_t> leaves, std::vector<uint32_t> values)
      : way_(way), leaves_(std::move(leaves)), values_(std::move(values)), prng_(Prng(way).split("unhurried")) {}

  size_t choose(modelled::ChoiceKind kind, std::span<const modelled::Option> options) override {
    if (kind != modelled::ChoiceKind::next) return next_value(options.size());
    std::vector<size_t> open, others;
    const bool leaves = leaves_.contains(choices_++);
    for (size_t i = 0; i < options.size(); ++i) {
      if (options[i].asks_again) continue;
      if (options[i].actor == last_ && !leaves) return i;
      (options[i].actor == last_ ? open : others).push_back(i);
    }
    if (!others.empty()) open = others;
    if (open.empty()) return stop;  // hosts only ask what they were told is not so
    return way_ == 0 ? open.front() : way_ == 1 ? open.back() : open[prng_.below(open.size())];
  }
  bool watches() const override { return true; }
  void took(int64_t, const modelled::Turn& turn) override { last_ = turn.actor; }

 private:
  size_t next_value(size_t count) {
    const size_t value = value_ < values_.size() ? values_[value_++] : 0;
    return std::min(value, count - 1);
  }

  uint64_t way_;
  std::set<size_t> leaves_;
  std::vector<uint32_t> values_;
  Prng prng_;
  size_t choices_ = 0, value_ = 0;
  ActorId last_ = -1;
};

class Shrinker {
 public:
  Shrinker(const Program& program, const Execution& run, const Same& same, const Limits& limits)
      : program_(program), same_(same), limits_(limits), best_{run, preemptions(run), 0, false, {}} {}

  Shrunk shrink() {
    for (uint64_t way = 0; way < plain_schedules && best_.preemptions > 0; ++way) try_leaving(way, 0);
    drop();
    for (int64_t bound = 1; bound < best_.preemptions; ++bound)
      for (uint64_t way = 0; way < drawn_schedules && bound < best_.preemptions; ++way) try_leaving(2 + way, bound);
    bool searched = true;
    for (int64_t bound = 0; bound < best_.preemptions && searched; ++bound) searched = search(bound);
    best_.fewest = searched;
    if (!searched) best_.limit = limit();
    return best_;
  }

 private:
  bool within_limits() const { return limit().empty(); }
  std::string limit() const {
    if (best_.executions >= limits_.executions) return fmt::format("{} executions", limits_.executions);
    return watch_.seconds() >= limits_.seconds ? fmt::format("{:.3g} s", limits_.seconds) : std::string();
  }

  // With so many preemptions at random choices.
  void try_leaving(uint64_t way, int64_t count) {
    const std::vector<Decision>& decisions = best_.run.decisions;
    const auto is_next = [](const Decision& decision) { return decision.kind == modelled::ChoiceKind::next; };
    const auto choices = static_cast<uint64_t>(std::ranges::count_if(decisions, is_next));
    Prng prng = Prng(way).split("leaves");
    std::set<size_t> leaves;
    for (int64_t i = 0; i < count && choices > 0; ++i) leaves.insert(prng.below(choices));
    attempt([&] { return std::make_unique<Unhurried>(way, leaves, order_of(best_.run).values); });
  }

  // Preemptions that are not needed, many at a time.
  void drop() {
    for (size_t count = points().size(); count > 0 && within_limits();) {
      if (!without(count))
        count /= 2;
      else
        count = std::min(count, points().size());
    }
  }
  std::vector<size_t> points() const {
    std::vector<size_t> turns;
    for (const Decision& decision : best_.run.decisions)
      if (preempts(best_.run, decision)) turns.push_back(static_cast<size_t>(decision.turn));
    return turns;
  }
  bool without(size_t count) {
    const std::vector<size_t> all = points();
    for (size_t first = 0; first < all.size(); first += count) {
      const std::span<const size_t> some(all.data() + first, std::min(count, all.size() - first));
      if (try_order(some, goes_on) || try_order(some, comes_later)) return true;
    }
    return false;
  }

  // The turns that the actor before `at` took next move in front of the others.
  static void goes_on(std::vector<ActorId>& order, size_t at) {
    auto [begin, end] = next_turns(order, at);
    std::rotate(order.begin() + at_of(at), order.begin() + at_of(begin), order.begin() + at_of(end));
  }
  // The turns that it took last move behind the others.
  static void comes_later(std::vector<ActorId>& order, size_t at) {
    auto [begin, end] = next_turns(order, at);
    size_t first = at;
    while (first > 0 && order[first - 1] == order[at - 1]) --first;
    std::rotate(order.begin() + at_of(first), order.begin() + at_of(at), order.begin() + at_of(begin));
  }
  static std::ptrdiff_t at_of(size_t index) { return static_cast<std::ptrdiff_t>(index); }
  static std::pair<size_t, size_t> next_turns(const std::vector<ActorId>& order, size_t at) {
    size_t begin = at;
    while (begin < order.size() && order[begin] != order[at - 1]) ++begin;
    size_t end = begin;
    while (end < order.size() && order[end] == order[at - 1]) ++end;
    return {begin, end};
  }

  // From the last one on, so that the others stay where they are.
  bool try_order(std::span<const size_t> points, void (*move)(std::vector<ActorId>& order, size_t at)) {
    Following what = order_of(best_.run);
    for (size_t i = points.size(); i-- > 0;) move(what.order, points[i]);
    return attempt([&] { return follow(std::move(what), nullptr, nullptr); });
  }
  bool attempt(const std::function<std::unique_ptr<modelled::Chooser>()>& chooser) {
    if (!within_limits()) return false;
    Execution run = run_with(program_, chooser());
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

  // False where the bound was not searched to its end. Where it holds a run that ends so, that is the best one.
  bool search(int64_t bound) {
    if (!within_limits()) return false;
    DepthFirst how{.reduced = false, .preemptions = bound, .limits = limits_};
    how.limits.executions = limits_.executions - best_.executions;
    how.limits.seconds = limits_.seconds - watch_.seconds();
    bool found = false;
    Coverage coverage = depth_first(program_, how, [&](const Execution& run) { return !(found = take(run)); });
    best_.executions += coverage.executions;
    return coverage.exhausted || found;
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
