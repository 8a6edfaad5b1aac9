// Who lives in a window, who may write where, and who issues what in which order.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/evidence/text.h"
#include "sim/law/laws.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

// For each storage, whose weight the last operation that was issued into it brings.
class Tenants {
 public:
  Tenants(const Evidence& evidence, const Execution& execution, size_t rank, const Communication& communication)
      : evidence_(evidence), execution_(execution), rank_(rank), communication_(communication) {}

  std::optional<Finding> judge(Tally& tally) {
    for (const Event& event : execution_.ranks[rank_].events) {
      if (event.kind == EventKind::collective) note(event);
      if (event.kind == EventKind::read)
        if (auto finding = judge_read(event, execution_.ranks[rank_].reads[static_cast<size_t>(event.value)], tally)) return finding;
    }
    return std::nullopt;
  }

 private:
  void note(const Event& event) {
    const Issued* issued = communication_.find(rank_, &event);
    if (!issued || event.value < 0) return;
    if (issued->layer >= 0)
      tenants_[event.value] = issued->layer;
    else
      tenants_.erase(event.value);  // the root never came to it, or sends something else
  }

  std::optional<Finding> judge_read(const Event& event, const RankRun::Read& read, Tally& tally) {
    const auto tenant = tenants_.find(read.storage);
    const bool replayed = execution_.steps[static_cast<size_t>(read.step)].kind == StepKind::replay;
    if (read.slot != "weight" || replayed) return std::nullopt;
    tally.check();
    if (tenant == tenants_.end() || tenant->second == event.layer) return std::nullopt;
    return Finding{
        .step = event.step,
        .tensor = evidence_.layers[static_cast<size_t>(event.layer)] + ".weight",
        .what = fmt::format("is read in storage {}, which by then belongs to {}", read.storage, layer_text(evidence_, tenant->second))};
  }

  const Evidence& evidence_;
  const Execution& execution_;
  size_t rank_;
  const Communication& communication_;
  std::map<int64_t, int> tenants_;
};

std::string operation_text(const Evidence& evidence, const std::vector<Issued>& list, size_t at) {
  if (at >= list.size()) return "nothing";
  return fmt::format("{} of {} bytes ({}, step {})", list[at].event->text, list[at].event->numel, layer_text(evidence, list[at].layer),
                     list[at].event->step);
}

bool same(const Issued& one, const Issued& other) { return one.event->text == other.event->text && one.event->numel == other.event->numel; }

// The rank against the first member of each communicator.
std::optional<Finding> judge_sequence(const Evidence& evidence, const Communication& communication, size_t rank, Tally& tally) {
  for (const SeriesSpec& series : evidence.the_case.series) {
    if (!series.has_rank(evidence.number(rank))) continue;
    const auto first = static_cast<size_t>(series.global(0));
    const std::vector<Issued>&own = communication.of(series.group, rank), &others = communication.of(series.group, first);
    for (size_t at = 0; at < std::max(own.size(), others.size()); ++at) {
      tally.check();
      if (at < own.size() && at < others.size() && same(own[at], others[at])) continue;
      return Finding{.step = at < own.size() ? own[at].event->step : others[at].event->step,
                     .what = fmt::format("operation {} of {} is {}, on rank {} it is {}", at, series.group,
                                         operation_text(evidence, own, at), first, operation_text(evidence, others, at))};
    }
  }
  return std::nullopt;
}

std::string access_text(const RankRun::Access& access) {
  return fmt::format("{} on {} {}{}", access.operation, access.stream, access.writes ? "writes" : "reads",
                     access.about.empty() ? "" : " (" + access.about + ")");
}

// What would order the two, in the order in which they were issued.
std::string missing_edge(const RankRun::Race& race) {
  const RankRun::Access &earlier = race.earlier(), &later = race.later();
  const char* behind = earlier.writes && later.writes ? "the first write" : earlier.writes ? "the write" : "the reader";
  return fmt::format("{} never waits for an event that {} records behind {}", later.stream, earlier.stream, behind);
}

std::optional<Finding> judge_races(const Execution& execution, size_t rank, Tally& tally) {
  const std::vector<RankRun::Race>& races = execution.ranks[rank].races;
  tally.check(static_cast<int64_t>(execution.ranks[rank].reads.size()));
  if (races.empty()) return std::nullopt;
  const auto wrong = std::ranges::find(races, "wrong bytes", &RankRun::Race::witness);
  const RankRun::Race& shown = wrong == races.end() ? races.front() : *wrong;
  return Finding{
      .what = fmt::format("{} pair{} of accesses that nothing orders", races.size(), races.size() == 1 ? "" : "s"),
      .first = fmt::format("{} || {}", access_text(shown.first), access_text(shown.second)),
      .why = fmt::format("{}{}", missing_edge(shown), shown.witness.empty() ? "" : "; " + in_both_orders(shown.witness, shown.reader))};
}

Verdict judge_seen_races(const Evidence& evidence) {
  return judge_ranks(evidence, "ring_happens_before", "nothing was read",
                     [&](const Execution& execution, size_t rank, Tally& tally) { return judge_races(execution, rank, tally); },
                     {[](const Step& step) { return step.kind == StepKind::pass || step.kind == StepKind::replay; },
                      "it judges what is read, and no step of the scenario reads"});
}

int64_t loads_by_stream(const Execution& execution, const RankRun& run) {
  int64_t loads = 0;
  for (const StepOutcome& outcome : run.outcomes) {
    const Step* step = step_at(execution, outcome.step);
    if (step && step->plan.source == LoadPlan::Source::stream) loads += static_cast<int64_t>(outcome.load_statuses.size());
  }
  return loads;
}

// Of models at rest between updates: loads that a stream of the transport's brings.
Verdict judge_races_of_loads(const Evidence& evidence) {
  Tally tally("ring_happens_before");
  for (const Execution& execution : evidence.executions) {
    if (execution.variation.kind != Variation::Kind::warm) continue;
    for (size_t rank = 0; rank < execution.ranks.size(); ++rank) {
      tally.check(loads_by_stream(execution, execution.ranks[rank]));
      std::optional<Finding> finding = judge_races(execution, rank, tally);
      if (!finding) continue;
      finding->execution = execution.variation.label();
      finding->rank = evidence.number(rank);
      return tally.fail(*std::move(finding));
    }
  }
  return tally.done("nothing came by a stream of the transport's");
}

std::string what_went_unseen(const Evidence& evidence) {
  for (const Execution& execution : evidence.executions)
    for (size_t rank = 0; rank < execution.ranks.size(); ++rank)
      if (!execution.ranks[rank].unseen.empty()) return fmt::format("rank {}: {}", evidence.number(rank), execution.ranks[rank].unseen);
  return {};
}

}  // namespace

Verdict judge_ring_tenancy(const Evidence& evidence) {
  Communications all(evidence);
  return judge_ranks(
      evidence, "ring_tenancy", "nothing was read",
      [&](const Execution& execution, size_t rank, Tally& tally) {
        return Tenants(evidence, execution, rank, all.of(execution)).judge(tally);
      },
      passes);
}

Verdict judge_ring_sequence(const Evidence& evidence) {
  Communications all(evidence);
  return judge_ranks(evidence, "ring_sequence", "nothing was issued", [&](const Execution& execution, size_t rank, Tally& tally) {
    return judge_sequence(evidence, all.of(execution), rank, tally);
  });
}

// A race that was seen is one, whatever else was not.
Verdict judge_ring_happens_before(const Evidence& evidence) {
  Verdict verdict = evidence.the_case.series.empty() ? judge_races_of_loads(evidence) : judge_seen_races(evidence);
  const std::string unseen = what_went_unseen(evidence);
  if (verdict.outcome != Outcome::pass || unseen.empty()) return verdict;
  return Tally("ring_happens_before").unsupported(unseen);
}

}  // namespace reloadlab::sim
