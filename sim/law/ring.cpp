#include "sim/law/ring.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

// "broadcast root 1 of all" is of "all".
std::string_view group_of(const Event& event) {
  const size_t of = event.text.rfind(" of ");
  return of == std::string::npos ? std::string_view() : std::string_view(event.text).substr(of + 4);
}

// On the rank, and on all with whom it shares.
bool ended_well(const Evidence& evidence, const Execution& execution, size_t rank, int step) {
  for (size_t other = 0; other < execution.ranks.size(); ++other) {
    const StepOutcome* outcome = outcome_of(execution.ranks[other], step);
    if ((!outcome || !outcome->status.ok()) && share(evidence, rank, other)) return false;
  }
  return true;
}

bool took(const Evidence& evidence, const Execution& execution, const SeriesSpec& series, size_t rank, int step) {
  const Step& update = execution.steps[static_cast<size_t>(step)];
  if (update.abort_after) return false;
  if (!reloads_by_series(update)) return update.kind == StepKind::load || ended_well(evidence, execution, rank, step);
  for (size_t other = 0; other < execution.ranks.size(); ++other) {
    const bool matters = other == rank || (series.has_rank(evidence.number(rank)) && series.has_rank(evidence.number(other)));
    if (matters && !has_reloaded(execution.ranks[other], series, step)) return false;
  }
  return true;
}

// The first step that was to end well and did not, which rank_agreement tells; behind the last one where there is none.
int first_failed(const Execution& execution) {
  int first = execution.stopped.empty() ? static_cast<int>(execution.steps.size()) : execution.stopped_in;
  for (const RankRun& run : execution.ranks)
    for (const StepOutcome& outcome : run.outcomes) {
      const bool meant = outcome.step < 0 || execution.steps[static_cast<size_t>(outcome.step)].outcome == Step::Outcome::ok;
      if (meant && !outcome.status.ok()) first = std::min(first, outcome.step);
    }
  return first;
}

bool brings(StepKind kind) { return kind == StepKind::load || kind == StepKind::reload || kind == StepKind::update_owner; }

}  // namespace

Place place_of(const Evidence& evidence, int layer) {
  if (layer < 0) return {};
  const std::string& path = evidence.layers[static_cast<size_t>(layer)];
  for (const SeriesSpec& series : evidence.the_case.series)
    if (const int64_t offset = series.position_of(path); offset >= 0)
      return {&series, series.index_at(static_cast<size_t>(offset)), offset};
  return {};
}

bool is_static(const Evidence& evidence) {
  const auto binding = evidence.declared.find("binding");
  return binding != evidence.declared.end() && binding->second == "static";
}

bool owns(const Evidence& evidence, const Place& place, int64_t rank) {
  return place.series->global(place.series->owner(place.index, evidence.the_case.ranks)) == rank;
}

bool share(const Evidence& evidence, size_t rank, size_t other) {
  return rank == other || std::ranges::any_of(evidence.the_case.series, [&](const SeriesSpec& series) {
           return series.has_rank(evidence.number(rank)) && series.has_rank(evidence.number(other));
         });
}

std::string committed(const Evidence& evidence, const Execution& execution, const SeriesSpec& series, size_t rank, int step) {
  while (--step >= 0) {
    const Step& update = execution.steps[static_cast<size_t>(step)];
    if (brings(update.kind) && took(evidence, execution, series, rank, step)) return update.plan.checkpoint;
  }
  return {};
}

bool reloads_by_series(const Step& step) { return step.kind == StepKind::reload && step.via == Via::series; }

bool has_reloaded(const RankRun& run, const SeriesSpec& series, int step) {
  return std::ranges::any_of(
      run.events, [&](const Event& event) { return event.kind == EventKind::reloaded && event.step == step && event.text == series.name; });
}

Communication::Communication(const Evidence& evidence, const Execution& execution) {
  for (const SeriesSpec& series : evidence.the_case.series) lists_[series.group].resize(execution.ranks.size());
  for (size_t rank = 0; rank < execution.ranks.size(); ++rank)
    for (const Event& event : execution.ranks[rank].events)
      if (event.kind == EventKind::collective)
        if (const auto found = lists_.find(group_of(event)); found != lists_.end()) found->second[rank].push_back({&event, event.layer});
  for (auto& [group, lists] : lists_) share_layers(lists);
}

// What the root knows of an operation all ranks know, as long as they issue the same: behind that, numbers are of different operations.
void Communication::share_layers(std::vector<std::vector<Issued>>& lists) {
  std::vector<int> layers;  // by number of the operation
  for (const auto& list : lists) {
    layers.resize(std::max(layers.size(), list.size()), -1);
    for (size_t i = 0; i < list.size(); ++i)
      if (list[i].layer >= 0) layers[i] = list[i].layer;
  }
  const auto others = [&](size_t i) {  // not the first one's
    const std::vector<Issued>* first = nullptr;
    return std::ranges::any_of(lists, [&](const std::vector<Issued>& list) {
      if (i >= list.size()) return false;
      if (!first) first = &list;
      return list[i].event->text != (*first)[i].event->text;
    });
  };
  for (size_t i = 0; i < layers.size() && !others(i); ++i)
    for (auto& list : lists)
      if (i < list.size()) list[i].layer = layers[i];
}

const std::vector<Issued>& Communication::of(std::string_view group, size_t rank) const {
  static const std::vector<Issued> none;
  const auto found = lists_.find(group);
  return found == lists_.end() || rank >= found->second.size() ? none : found->second[rank];
}

const Issued* Communication::find(size_t rank, const Event* event) const {
  const std::vector<Issued>& list = of(group_of(*event), rank);
  const auto found = std::ranges::lower_bound(list, event, {}, &Issued::event);  // events of a rank lie in one array
  return found != list.end() && found->event == event ? &*found : nullptr;
}

const Communication& Communications::of(const Execution& execution) {
  const auto found = known_.find(&execution);
  return found != known_.end() ? found->second : known_.emplace(&execution, Communication(evidence_, execution)).first->second;
}

bool is_plain(const Pass& pass) { return pass.deviations.empty() && pass.ranks.empty() && !pass.lost; }

Verdict judge_ranks(const Evidence& evidence, std::string_view law, std::string_view nothing_checked, const JudgeRank& judge,
                    const Subject& subject) {
  Tally tally(law);
  if (evidence.the_case.series.empty()) return tally.unsupported("the model has no series");
  for (const Execution& execution : evidence.executions) {
    if (execution.variation.kind != Variation::Kind::warm) continue;
    for (size_t rank = 0; rank < execution.ranks.size(); ++rank)
      if (auto finding = judge(execution, rank, tally)) {
        finding->execution = execution.variation.label();
        finding->rank = evidence.number(rank);
        return tally.fail(*std::move(finding));
      }
  }
  return concluded(evidence, tally, nothing_checked, subject);
}

Verdict concluded(const Evidence& evidence, const Tally& tally, std::string_view nothing_checked, const Subject& subject) {
  Verdict verdict = tally.done(nothing_checked);
  const Execution* warm = warm_of(evidence);
  if (verdict.outcome != Outcome::inconclusive || !warm) return verdict;
  int last = static_cast<int>(warm->steps.size()) - 1;
  while (last >= 0 && !subject.has(warm->steps[static_cast<size_t>(last)])) --last;
  if (last < 0) return tally.unsupported(subject.otherwise);
  if (first_failed(*warm) <= last) return tally.unsupported("what it would judge failed, or comes after steps that failed");
  return warm->stopped.empty() ? verdict : tally.unsupported("the run was stopped before it was known what it would judge");
}

std::string layer_text(const Evidence& evidence, int layer) {
  if (layer < 0) return "no layer";
  const Place place = place_of(evidence, layer);
  const std::string& path = evidence.layers[static_cast<size_t>(layer)];
  return place.series ? fmt::format("{} (index {})", path, place.index) : path;
}

}  // namespace reloadlab::sim
