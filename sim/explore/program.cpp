#include "sim/explore/program.h"

#include <c10/util/Exception.h>

#include <algorithm>

#include "reference/base/check.h"

namespace reloadlab::sim::explore {
namespace {

using modelled::ChoiceKind;
using modelled::Chooser;
using modelled::Option;
using modelled::Turn;

// Passes on what it is asked and told, and keeps it.
class Keeper final : public Chooser {
 public:
  Keeper(std::unique_ptr<Chooser> chooser, Execution& run) : chooser_(std::move(chooser)), run_(run) {}
  size_t choose(ChoiceKind kind, std::span<const Option> options) override {
    size_t index = chooser_->choose(kind, options);
    if (index == stop) {
      run_.ended_by_chooser = true;
      return index;
    }
    // During a turn its number is that of the next one to be told of, too.
    run_.decisions.push_back(
        {kind, {options.begin(), options.end()}, static_cast<uint32_t>(index), static_cast<int64_t>(run_.turns.size())});
    return index;
  }
  bool watches() const override { return true; }
  void took(int64_t number, const Turn& turn) override {
    RELOADLAB_CHECK(number == static_cast<int64_t>(run_.turns.size()), "a program makes one machine");
    chooser_->took(number, turn);
    run_.turns.push_back(turn);
  }

 private:
  std::unique_ptr<Chooser> chooser_;
  Execution& run_;
};

}  // namespace

modelled::Schedule Execution::schedule() const {
  modelled::Schedule schedule;
  for (const Decision& decision : decisions) schedule.push_back(decision.taken);
  return schedule;
}

Execution run_with(const Program& program, std::unique_ptr<Chooser> chooser) {
  Execution run;
  try {
    run.outcome = program(std::make_unique<Keeper>(std::move(chooser), run));
  } catch (const c10::Error& error) {
    run.outcome.verdict = error.what_without_backtrace();
    run.outcome.stopped = true;
  }
  return run;
}

bool preempts(const Execution& run, const Decision& decision) {
  if (decision.kind != ChoiceKind::next || decision.turn == 0) return false;
  ActorId before = run.turns[static_cast<size_t>(decision.turn) - 1].actor;
  auto could_go_on = [&](const Option& option) { return option.actor == before && !option.asks_again; };
  return decision.actor() != before && std::any_of(decision.options.begin(), decision.options.end(), could_go_on);
}

int64_t preemptions(const Execution& run) {
  return std::count_if(run.decisions.begin(), run.decisions.end(), [&](const Decision& decision) { return preempts(run, decision); });
}

}  // namespace reloadlab::sim::explore
