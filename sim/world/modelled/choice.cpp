#include "sim/world/modelled/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "reference/base/check.h"

namespace reloadlab::sim::modelled {
namespace {

size_t undisturbed(ChoiceKind kind) { return kind == ChoiceKind::reuse ? 1 : 0; }

class RoundRobin final : public Chooser {
 public:
  size_t choose(ChoiceKind kind, std::span<const Option> options) override {
    if (kind != ChoiceKind::next) return undisturbed(kind);
    size_t best = 0;
    // The first actor after the last one, cyclically.
    auto turn = [this](const Option& option) { return std::pair(option.actor <= last_, option.actor); };
    for (size_t i = 1; i < options.size(); ++i)
      if (turn(options[i]) < turn(options[best])) best = i;
    last_ = options[best].actor;
    return best;
  }
  ActorId choose_by_number(const ActorSet& ready) override {
    ActorId next = ready.first(last_ + 1);
    return last_ = next >= 0 ? next : ready.first();
  }

 private:
  ActorId last_ = -1;
};

class Random final : public Chooser {
 public:
  explicit Random(uint64_t seed) : prng_(Prng(seed).split("schedule")) {}
  size_t choose(ChoiceKind, std::span<const Option> options) override { return static_cast<size_t>(prng_.below(options.size())); }

 private:
  Prng prng_;
};

class Pct final : public Chooser {
 public:
  Pct(uint64_t seed, int depth, int64_t steps) : prng_(Prng(seed).split("pct")) {
    for (int i = 1; i < depth; ++i) drops_.insert(static_cast<int64_t>(prng_.below(static_cast<uint64_t>(std::max<int64_t>(steps, 1)))));
  }
  size_t choose(ChoiceKind kind, std::span<const Option> options) override {
    if (kind != ChoiceKind::next) return static_cast<size_t>(prng_.below(options.size()));
    size_t best = highest(options);
    if (drops_.contains(step_++)) {
      priority_[options[best].actor] = --lowest_;
      best = highest(options);
    }
    return best;
  }

 private:
  size_t highest(std::span<const Option> options) {
    size_t best = 0;
    for (size_t i = 0; i < options.size(); ++i)
      if (priority(options[i].actor) > priority(options[best].actor)) best = i;
    return best;
  }
  int64_t priority(ActorId actor) {
    auto found = priority_.find(actor);
    if (found == priority_.end()) found = priority_.emplace(actor, static_cast<int64_t>(prng_.next() >> 2)).first;
    return found->second;
  }
  Prng prng_;
  std::set<int64_t> drops_;
  std::map<ActorId, int64_t> priority_;
  int64_t step_ = 0, lowest_ = 0;
};

class Timed final : public Chooser {
 public:
  size_t choose(ChoiceKind kind, std::span<const Option> options) override {
    if (kind != ChoiceKind::next) return undisturbed(kind);
    // Kernels after whatever begins at the same time.
    const auto order = [](const Option& option) { return std::tuple(option.ready_at, option.kernel, option.actor); };
    auto earlier = [&](const Option& a, const Option& b) { return order(a) < order(b); };
    return static_cast<size_t>(std::min_element(options.begin(), options.end(), earlier) - options.begin());
  }
};

class Replay final : public Chooser {
 public:
  explicit Replay(Schedule schedule) : schedule_(std::move(schedule)) {}
  size_t choose(ChoiceKind, std::span<const Option> options) override {
    if (next_ == schedule_.size()) return 0;
    size_t index = schedule_[next_++];
    RELOADLAB_CHECK(index < options.size(),
                    fmt::format("the schedule is of another program: choice {} takes option {} of {}", next_ - 1, index, options.size()));
    return index;
  }

 private:
  Schedule schedule_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Chooser> round_robin() { return std::make_unique<RoundRobin>(); }
std::unique_ptr<Chooser> random_choices(uint64_t seed) { return std::make_unique<Random>(seed); }
std::unique_ptr<Chooser> pct(uint64_t seed, int depth, int64_t steps) { return std::make_unique<Pct>(seed, depth, steps); }
std::unique_ptr<Chooser> timed() { return std::make_unique<Timed>(); }
std::unique_ptr<Chooser> replay(Schedule schedule) { return std::make_unique<Replay>(std::move(schedule)); }

std::optional<Schedule> next_schedule(const Schedule& schedule, const std::vector<uint32_t>& widths) {
  RELOADLAB_CHECK(schedule.size() == widths.size(), "one width for each choice");
  for (size_t last = schedule.size(); last-- > 0;) {
    if (schedule[last] + 1 == widths[last]) continue;
    Schedule next(schedule.begin(), schedule.begin() + static_cast<std::ptrdiff_t>(last) + 1);
    ++next.back();
    return next;
  }
  return std::nullopt;
}

}  // namespace reloadlab::sim::modelled
