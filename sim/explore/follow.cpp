#include "sim/explore/follow.h"

#include <algorithm>

namespace reloadlab::sim::explore {
namespace {

using modelled::ChoiceKind;
using modelled::Option;

class Follower final : public modelled::Chooser {
 public:
  Follower(Following what, Allowed allowed, std::function<void(const modelled::Turn&)> told)
      : what_(std::move(what)), allowed_(std::move(allowed)), told_(std::move(told)) {}

  size_t choose(ChoiceKind kind, std::span<const Option> options) override {
    if (kind != ChoiceKind::next) return value(options.size());
    std::vector<size_t> open = candidates(options, true);
    if (open.empty()) open = candidates(options, false);
    if (open.empty()) return stop;  // hosts only ask what they were told is not so
    for (ActorId actor : what_.order)
      for (size_t i : open)
        if (options[i].actor == actor) return i;
    for (size_t i : open)
      if (options[i].actor == last_) return i;
    return open.front();
  }
  bool watches() const override { return true; }
  void took(int64_t, const modelled::Turn& turn) override {
    last_ = turn.actor;
    auto mine = std::find(what_.order.begin(), what_.order.end(), turn.actor);
    if (mine != what_.order.end()) what_.order.erase(mine);
    if (told_) told_(turn);
  }

 private:
  std::vector<size_t> candidates(std::span<const Option> options, bool only_allowed) const {
    std::vector<size_t> open;
    for (size_t i = 0; i < options.size(); ++i)
      if (!options[i].asks_again && (!only_allowed || !allowed_ || allowed_(options[i].actor))) open.push_back(i);
    return open;
  }
  size_t value(size_t count) {
    size_t value = next_value_ < what_.values.size() ? what_.values[next_value_++] : 0;
    return std::min(value, count - 1);
  }

  Following what_;
  Allowed allowed_;
  std::function<void(const modelled::Turn&)> told_;
  ActorId last_ = -1;
  size_t next_value_ = 0;
};

}  // namespace

Following order_of(const Execution& run) {
  Following what;
  for (const modelled::Turn& turn : run.turns) what.order.push_back(turn.actor);
  for (const Decision& decision : run.decisions)
    if (decision.kind != ChoiceKind::next) what.values.push_back(decision.taken);
  return what;
}

std::unique_ptr<modelled::Chooser> follow(Following what, Allowed allowed, std::function<void(const modelled::Turn&)> told) {
  return std::make_unique<Follower>(std::move(what), std::move(allowed), std::move(told));
}

}  // namespace reloadlab::sim::explore
