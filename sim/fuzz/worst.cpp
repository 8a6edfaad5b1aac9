#include "sim/fuzz/worst.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "reference/base/nearest.h"
#include "sim/fuzz/draw_plan.h"
#include "sim/fuzz/generate.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

const std::vector<RankRun>& warm_ranks(const Evidence& evidence) { return evidence.find(Variation::Kind::warm)->ranks; }

int64_t peak_bytes(const Evidence& evidence) {
  int64_t most = 0;
  for (const RankRun& rank : warm_ranks(evidence))
    for (const StepOutcome& outcome : rank.outcomes) most = std::max(most, outcome.extra_bytes_peak);
  return most;
}

// Of a pass, what it takes beyond its own compute, in picoseconds.
int64_t exposed_wait(const Evidence& evidence) {
  if (!evidence.the_case.timing) return 0;
  constexpr int64_t picoseconds = 1000;
  const Timing& timing = *evidence.the_case.timing;
  const size_t layers = evidence.the_case.shared_layers().size();
  int64_t most = 0, rank = 0;
  for (const RankRun& run : warm_ranks(evidence)) {
    int64_t compute = 0;
    for (size_t layer = 0; layer < layers; ++layer) compute += timing.before_of(layer) + timing.after_of(layer, rank);
    for (const RankRun::Pace& pace : run.paces) most = std::max(most, pace.end - pace.begin - compute * picoseconds);
    ++rank;
  }
  return most;
}

// The layer's load calls, and what is done for it behind the last of them.
int64_t steps_to_completion(const Evidence& evidence) {
  constexpr int update = 1;
  int64_t most = 0;
  for (const RankRun& rank : warm_ranks(evidence)) {
    std::map<int, int> first;
    int calls = 0;
    for (const Event& event : rank.events) {
      if (event.step != update || (event.kind != EventKind::load_begin && event.kind != EventKind::post_load_begin)) continue;
      calls = std::max(calls, event.load + 1);
      most = std::max<int64_t>(most, calls - first.try_emplace(event.layer, event.load).first->second);
    }
  }
  return most;
}

int64_t events(const Evidence& evidence) {
  int64_t most = 0;
  for (const RankRun& rank : warm_ranks(evidence)) most = std::max(most, static_cast<int64_t>(rank.events.size()));
  return most;
}

// Every order is some list of choices, the listed one that of zeros alone.
std::vector<std::string> draw_order(std::vector<std::string> names, Choices& choices) {
  Choices::Scope about(choices, About::order);
  for (size_t at = 0; at + 1 < names.size(); ++at) {
    const auto next = static_cast<std::ptrdiff_t>(at), taken = next + choices.below(static_cast<uint32_t>(names.size() - at));
    std::rotate(names.begin() + next, names.begin() + taken, names.begin() + taken + 1);
  }
  return names;
}

Step draw_update(const Case& of, Choices& choices) {
  Step step{.kind = StepKind::reload, .plan = {.checkpoint = of.checkpoints.back().first}};
  step.plan.chunk = choices.below(4);
  step.plan.order = OrderKind::explicit_list;
  step.plan.order_list = draw_order(names_of(of.model), choices);
  return step;
}

Step draw_between(const Case& of, Choices& choices) {
  const Step in_place{.kind = StepKind::reload, .plan = {.checkpoint = of.checkpoints.back().first}, .in_place = true};
  switch (choices.below(5)) {
    case 1:
      return {.kind = StepKind::host_sync};
    case 2:
      return {.kind = StepKind::drain};
    case 3:
      return {.kind = StepKind::reset};
    case 4:
      return in_place;
    default:
      return {.kind = StepKind::pass};
  }
}

void draw_passes(Case& the_case, Choices& choices) {
  constexpr int most = 5;
  for (int at = 0; at < most; ++at) {
    Choices::Scope about(choices, About::step);
    if (!choices.chance(70)) break;
    the_case.steps.push_back(draw_between(the_case, choices));
  }
  the_case.steps.push_back({.kind = StepKind::pass});
}

// From what there is: an answer or two are others.
Answers changed(Answers answers, Prng& prng) {
  for (uint64_t times = 1 + prng.below(2); times > 0; --times) {
    auto& list = answers[prng.below(answers.size())];
    if (!list.empty()) list[prng.below(list.size())] = static_cast<uint32_t>(prng.below(1 + 2 * list.size()));
  }
  return answers;
}

class Search {
 public:
  Search(const Case& of, const Objective& objective, const WorstOptions& options, const Engine& engine)
      : of_(of), objective_(objective), options_(options), engine_(engine), prng_(options.seed) {}

  Result<Worst> run(const std::function<void(const Worst&)>& told) {
    for (; !over(); ++worst_.cases) {
      const bool afresh = worst_.cases == 0 || prng_.below(4) == 0;
      Choices choices = afresh ? Choices(seed_of(options_.seed, static_cast<uint64_t>(worst_.cases))) : Choices(changed(answers_, prng_));
      const Case drawn = draw_worse(of_, choices);
      RELOADLAB_ASSIGN(const Evidence evidence, engine_.replay(drawn, options_.candidate, {}));
      if (take(drawn, objective_.measure(evidence), choices) && told) told(worst_);
    }
    return std::move(worst_);
  }

 private:
  bool over() const {
    return (options_.cases && worst_.cases >= *options_.cases) ||
           (options_.seconds && std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count() >= *options_.seconds);
  }

  // Of two that are as bad, the shorter one. Whether it is worse.
  bool take(const Case& drawn, int64_t value, const Choices& choices) {
    const bool worse = worst_.cases == 0 || value > worst_.value;
    if (!worse && (value < worst_.value || emit(drawn).size() > emit(worst_.the_case).size())) return false;
    if (worse) worst_.found = worst_.cases;
    worst_.the_case = drawn, worst_.value = value, answers_ = choices.answers();
    return worse;
  }

  const Case& of_;
  const Objective& objective_;
  const WorstOptions& options_;
  const Engine& engine_;
  Prng prng_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Worst worst_;
  Answers answers_;
};

}  // namespace

const std::vector<Objective>& objectives() {
  static const std::vector<Objective> all = {
      {"peak_bytes", "B", "extra bytes of an update at its peak, on the rank that has most", peak_bytes},
      {"exposed_wait", "ps", "what a pass takes beyond its own compute, of series with `timing`", exposed_wait},
      {"steps_to_completion", "load calls", "of an update without series, from a layer's first to that which completes it",
       steps_to_completion},
      {"events", "events", "what a rank does from beginning to end", events}};
  return all;
}

Result<const Objective*> find_objective(const std::string& name) {
  std::vector<std::string> names;
  for (const Objective& each : objectives()) {
    if (each.name == name) return &each;
    names.push_back(each.name);
  }
  return Status(Code::usage, fmt::format("no objective is called \"{}\"{}", name, did_you_mean(name, names)));
}

Case draw_worse(const Case& of, Choices& choices) {
  Case the_case = of;
  the_case.steps = {{.kind = StepKind::load, .plan = {.checkpoint = of.checkpoints.front().first}}};
  if (of.series.empty())
    the_case.steps.push_back(draw_update(of, choices));
  else
    draw_passes(the_case, choices);
  return the_case;
}

Result<Worst> search_worst(const Case& of, const Objective& objective, const WorstOptions& options, const Engine& engine,
                           const std::function<void(const Worst&)>& told) {
  if (of.checkpoints.empty()) return Status(Code::data, of.id() + ": no checkpoint to update to");
  if (objective.measure == exposed_wait && !of.timing) return Status(Code::data, of.id() + ": exposed_wait is of cases with `timing`");
  if (objective.measure == steps_to_completion && !of.series.empty())
    return Status(Code::data, of.id() + ": steps_to_completion is of cases without series");
  return Search(of, objective, options, engine).run(told);
}

}  // namespace reloadlab::sim::fuzz
