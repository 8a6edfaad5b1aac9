#pragma once
// An engine without tensors whose one law is broken by what the test plants in cases.
#include <functional>
#include <string>

#include "sim/campaign/engine.h"

namespace reloadlab::sim::fuzz {

// The tensor that shows it; empty: the case shows nothing.
using Bug = std::function<std::string(const Case&)>;

inline int first_reload(const Case& the_case) {
  int at = 0;
  for (const Step& step : the_case.steps) {
    if (step.kind == StepKind::reload) return at;
    ++at;
  }
  return -1;
}

inline Engine with_bug(Bug bug) {
  Engine engine;
  engine.candidate = [](const std::string& name) -> Result<EngineCandidate> { return EngineCandidate{name, "layerwise"}; };
  engine.lacks = [](const Case&) { return ""; };
  engine.replay = [](const Case& the_case, const std::string& candidate, const EngineOptions&) -> Result<Evidence> {
    for (const auto& [name, checkpoint] : the_case.checkpoints)
      if (!checkpoint.path.empty()) return Status(Code::data, name + ": no such file");
    Evidence evidence{.the_case = the_case, .candidate = candidate};
    Execution warm{.variation = {.kind = Variation::Kind::warm}, .steps = the_case.steps};
    warm.ranks.resize(static_cast<size_t>(the_case.ranks));
    for (RankRun& rank : warm.ranks)
      for (int step = 0; step < static_cast<int>(the_case.steps.size()); ++step)
        rank.events.push_back({.kind = EventKind::step_begin, .step = step}), rank.outcomes.push_back({.step = step});
    evidence.executions.push_back(std::move(warm));
    evidence.plan.resize(static_cast<size_t>(the_case.ranks));
    return evidence;
  };
  engine.judge = [bug](const Evidence& evidence) {
    Verdict verdict{.law = "law_a", .checks = 1};
    if (const std::string tensor = bug(evidence.the_case); !tensor.empty()) {
      verdict.outcome = Outcome::fail;
      verdict.finding =
          Finding{.law = "law_a", .execution = "warm", .step = first_reload(evidence.the_case), .tensor = tensor, .what = "differs"};
    }
    return std::vector{verdict};
  };
  engine.laws = {{"law_a", "A holds."}};
  return engine;
}

inline int64_t count_kind(const Case& the_case, std::string_view kind) {
  int64_t count = 0;
  for (const model::LayerSpec& layer : the_case.model.layers) count += layer.kind == kind;
  return count;
}

// The first layer of that kind.
inline std::string of_kind(const Case& the_case, std::string_view kind) {
  for (const model::LayerSpec& layer : the_case.model.layers)
    if (layer.kind == kind) return layer.name;
  return {};
}

}  // namespace reloadlab::sim::fuzz
