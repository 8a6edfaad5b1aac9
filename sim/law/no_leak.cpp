#include <fmt/format.h>

#include <algorithm>

#include "sim/evidence/values.h"
#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

struct Measure {
  std::string_view name;
  int64_t StepOutcome::*count;
};
constexpr Measure kMeasures[] = {{"layers", &StepOutcome::live_layers},
                                 {"parameters", &StepOutcome::live_parameters},
                                 {"allocations", &StepOutcome::live_allocations},
                                 {"bytes", &StepOutcome::live_bytes}};

// "1 layer", "2 layers"
std::string counted(int64_t count, const Measure& measure, std::string_view word = "") {
  const std::string_view name = count == 1 ? measure.name.substr(0, measure.name.size() - 1) : measure.name;
  return fmt::format("{} {}{}", count_text(count), word, name);
}

Finding finding_of(const Execution& execution, size_t rank, int step, std::string what) {
  return {.execution = execution.variation.label(), .rank = static_cast<int>(rank), .step = step, .what = std::move(what)};
}

// What is alive after each of the reloads behind the scenario's own steps.
std::vector<const StepOutcome*> repeated(const Execution& repeat, size_t own_steps, size_t rank) {
  std::vector<const StepOutcome*> all;
  for (size_t step = own_steps; step < repeat.steps.size(); ++step) {
    const StepOutcome* now = outcome_of(repeat.ranks[rank], static_cast<int>(step));
    if (repeat.steps[step].kind == StepKind::reload && now) all.push_back(now);
  }
  return all;
}

std::optional<Finding> more_or_fewer(const Execution& repeat, size_t rank, const StepOutcome& now, int64_t more, const Measure& measure,
                                     size_t reloads) {
  return finding_of(repeat, rank, now.step,
                    fmt::format("{} alive after {} more reload{} than before",
                                counted(std::abs(more), measure, more > 0 ? "more " : "fewer "), reloads, reloads == 1 ? "" : "s"));
}

// The first of the reloads has warmed up whatever may be kept once.
std::optional<Finding> level(const Execution& repeat, const std::vector<const StepOutcome*>& reloads, size_t rank, Tally& tally) {
  for (size_t i = 1; i < reloads.size(); ++i)
    for (const Measure& measure : kMeasures) {
      tally.check();
      if (const int64_t more = reloads[i]->*measure.count - reloads[0]->*measure.count; more != 0)
        return more_or_fewer(repeat, rank, *reloads[i], more, measure, i);
    }
  return std::nullopt;
}

// What updates leave that fail is taken up or thrown away by the next one, which goes to and fro. A leak grows.
std::optional<Finding> bounded(const Execution& repeat, const std::vector<const StepOutcome*>& reloads, size_t rank, Tally& tally) {
  if (reloads.size() < 3) return std::nullopt;
  for (const Measure& measure : kMeasures) {
    tally.check();
    const size_t highest = reloads[0]->*measure.count < reloads[1]->*measure.count ? 1 : 0;
    const int64_t more = reloads.back()->*measure.count - reloads[highest]->*measure.count;
    if (more > 0) return more_or_fewer(repeat, rank, *reloads.back(), more, measure, reloads.size() - 1 - highest);
  }
  return std::nullopt;
}

// Where the model was destroyed, nothing of it may be left.
std::optional<Finding> gone(const Execution& execution, size_t rank, Tally& tally) {
  for (size_t step = 0; step < execution.steps.size(); ++step) {
    if (execution.steps[step].kind != StepKind::destroy) continue;
    const StepOutcome* outcome = outcome_of(execution.ranks[rank], static_cast<int>(step));
    for (const Measure& measure : kMeasures) {
      if (!outcome) break;
      tally.check();
      if (const int64_t left = outcome->*measure.count; left != 0)
        return finding_of(execution, rank, outcome->step,
                          fmt::format("{} outlive{} the model", counted(left, measure), left == 1 ? "s" : ""));
    }
  }
  return std::nullopt;
}

}  // namespace

Verdict judge_no_leak(const Evidence& evidence) {
  Tally tally("no_leak");
  const Execution* warm = warm_of(evidence);
  if (!warm) return tally.done("the scenario's own execution is missing");
  bool any = std::ranges::any_of(warm->steps, [](const Step& step) { return step.kind == StepKind::destroy; });
  for (size_t rank = 0; rank < warm->ranks.size(); ++rank)
    if (auto finding = gone(*warm, rank, tally)) return tally.fail(*std::move(finding));
  for (const Execution& repeat : evidence.executions) {
    if (repeat.variation.kind != Variation::Kind::repeat) continue;
    any = true;
    for (size_t rank = 0; rank < repeat.ranks.size(); ++rank) {
      const std::vector<const StepOutcome*> reloads = repeated(repeat, warm->steps.size(), rank);
      const bool all_end_well = std::ranges::all_of(reloads, [](const StepOutcome* one) { return one->status.ok(); });
      if (auto finding = (all_end_well ? level : bounded)(repeat, reloads, rank, tally)) return tally.fail(*std::move(finding));
      if (auto finding = gone(repeat, rank, tally)) return tally.fail(*std::move(finding));
    }
  }
  if (!any) return tally.unsupported("the scenario has no reload to repeat and destroys no model");
  return tally.done("no reload was repeated and no model destroyed");
}

}  // namespace reloadlab::sim
