#include "sim/evidence/rank_parts.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

// Of a run that nobody could tell of.
Evidence nothing_seen(const Case& the_case, const std::string& candidate) {
  Evidence evidence{.the_case = the_case, .candidate = candidate};
  for (const model::LayerSpec& layer : the_case.model.layers) evidence.layers.push_back(layer.name);
  evidence.plan.resize(1);
  evidence.executions.push_back({.steps = the_case.steps, .ranks = std::vector<RankRun>(1)});
  return evidence;
}

void take_stop(Execution& whole, const Execution& part) {
  if (part.stopped.empty()) return;
  if (whole.stopped.empty() || part.stopped_in < whole.stopped_in) whole.stopped_in = part.stopped_in;
  if (whole.stopped.empty()) whole.stopped = part.stopped;
  whole.waits.insert(whole.waits.end(), part.waits.begin(), part.waits.end());
}

// The process that they come from was not one that can be believed.
bool makes_sense(const Event& event, const Evidence& whole, const Execution& execution) {
  const auto below = [](int number, size_t end) { return number >= -1 && number < static_cast<int>(end); };
  return below(event.step, execution.steps.size()) && below(event.layer, whole.layers.size()) && event.load >= -1;
}

// A rank that is gone is why others wait, and says more than that they do.
void take_loss(const Evidence& evidence, Execution& whole, const RankPart& part, size_t rank) {
  if (whole.variation.index == 0)
    std::ranges::copy_if(part.events, std::back_inserter(whole.ranks[rank].events),
                         [&](const Event& event) { return makes_sense(event, evidence, whole); });
  if (whole.stopped.starts_with("lost: ") || whole.stopped.starts_with("hang: ")) return;
  whole.stopped = (part.hangs ? "hang: " : "lost: ") + part.lost;
}

Status take(Evidence& whole, Evidence part, size_t rank) {
  if (part.executions.size() != whole.executions.size() || part.plan.size() != 1 || part.layers != whole.layers)
    return Status(Code::data, fmt::format("rank {} tells of another run than the first one", rank));
  for (size_t i = 0; i < part.executions.size(); ++i) {
    if (part.executions[i].ranks.size() != 1) return Status(Code::data, fmt::format("rank {} tells of several ranks", rank));
    whole.executions[i].ranks[rank] = std::move(part.executions[i].ranks.front());
    take_stop(whole.executions[i], part.executions[i]);
  }
  whole.plan[rank] = std::move(part.plan.front());
  return {};
}

}  // namespace

Result<Evidence> put_together(const Case& the_case, const std::string& candidate, std::vector<RankPart> parts) {
  const auto told = std::ranges::find_if(parts, [](const RankPart& part) { return part.evidence.has_value(); });
  Evidence whole = told == parts.end() ? nothing_seen(the_case, candidate) : *told->evidence;
  whole.numbers.clear();
  whole.plan.assign(parts.size(), {});
  for (Execution& execution : whole.executions) {
    execution.ranks.assign(parts.size(), {});
    execution.stopped.clear();
    execution.waits.clear();
    execution.stopped_in = -1;
  }
  for (size_t rank = 0; rank < parts.size(); ++rank) {
    if (parts[rank].evidence) RELOADLAB_TRY(take(whole, *std::move(parts[rank].evidence), rank));
    if (parts[rank].lost.empty()) continue;
    for (Execution& execution : whole.executions)
      if (execution.variation.kind == Variation::Kind::warm) take_loss(whole, execution, parts[rank], rank);
  }
  return whole;
}

bool is_settled(const Evidence& evidence) {
  const auto issued = [](const RankRun& run) {
    std::vector<std::string> texts;
    for (const Event& event : run.events)
      if (event.kind == EventKind::collective) texts.push_back(fmt::format("{} {}", event.text, event.numel));
    return texts;
  };
  return std::ranges::all_of(evidence.executions, [&](const Execution& execution) {
    const bool done = execution.stopped.empty() && std::ranges::all_of(execution.ranks, [](const RankRun& run) {
                        return std::ranges::none_of(run.outcomes, &StepOutcome::crashed);
                      });
    if (!done) return false;
    const std::vector<std::string> first = issued(execution.ranks.front());
    return std::ranges::all_of(execution.ranks, [&](const RankRun& run) { return issued(run) == first; });
  });
}

}  // namespace reloadlab::sim
