// What windows cost, where they are, and how far ahead they are filled.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "sim/law/laws.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

int64_t bytes_of(const CensusEntry& entry) { return numel(entry.shape) * dtype_size(entry.dtype); }

// --- look-ahead ---

// The pass's broadcasts on one rank, against what each reach() is to start and against once each.
class LookAhead {
 public:
  LookAhead(const Evidence& evidence, const Execution& execution, size_t rank, const Communication& communication)
      : evidence_(evidence), execution_(execution), rank_(rank), communication_(communication) {}

  std::optional<Finding> judge(Tally& tally) {
    for (int step = 0; step < static_cast<int>(execution_.steps.size()); ++step) {
      const StepOutcome* outcome = outcome_of(execution_.ranks[rank_], step);
      if (execution_.steps[static_cast<size_t>(step)].kind != StepKind::pass || !outcome) continue;
      if (auto finding = judge_targets(step, tally)) return finding;
      if (is_plain(execution_.steps[static_cast<size_t>(step)].pass) && outcome->status.ok())
        if (auto finding = judge_once(step, tally)) return finding;
    }
    return std::nullopt;
  }
  bool saw_unknown() const { return saw_unknown_; }

 private:
  // SW3, as it should be: t = (i - s + k) mod L + s.
  int64_t target_of(const Place& place) const {
    const auto count = static_cast<int64_t>(place.series->layers.size());
    return place.series->index_at(static_cast<size_t>((place.offset + place.series->prefetch) % count));
  }

  std::optional<Finding> judge_targets(int step, Tally& tally) {
    int reached = -1;
    for (const Event& event : execution_.ranks[rank_].events) {
      if (event.step != step) continue;
      if (event.kind == EventKind::reach_begin) reached = event.layer;
      if (event.kind == EventKind::reach_end) reached = -1;
      const Issued* issued = event.kind == EventKind::collective ? communication_.find(rank_, &event) : nullptr;
      if (!issued || issued->layer < 0 || reached < 0 || is_static(evidence_)) continue;
      tally.check();
      const Place place = place_of(evidence_, reached), sent = place_of(evidence_, issued->layer);
      if (sent.series == place.series && sent.index == target_of(place)) continue;
      return Finding{.step = step,
                     .tensor = evidence_.layers[static_cast<size_t>(reached)] + ".weight",
                     .what = fmt::format("reaching it starts the broadcast of {}, expected index {}, {} ahead",
                                         layer_text(evidence_, issued->layer), target_of(place), place.series->prefetch)};
    }
    return std::nullopt;
  }

  // Of a broadcast whose root never came to it, or sends what lies elsewhere, it is not known whose weight it brings: each stands for a
  // layer that is not seen to be sent.
  std::optional<Finding> judge_once(int step, Tally& tally) {
    std::map<int, int64_t> sent;
    std::map<std::string, int64_t> unknown;  // by communicator
    for (const SeriesSpec& series : evidence_.the_case.series)
      if (unknown.try_emplace(series.group, 0).second)
        for (const Issued& issued : communication_.of(series.group, rank_)) {
          if (issued.event->step != step || !issued.event->text.starts_with("broadcast")) continue;
          ++(issued.layer >= 0 ? sent[issued.layer] : unknown[series.group]);
          saw_unknown_ |= issued.layer < 0;
        }
    for (const SeriesSpec& series : evidence_.the_case.series) {
      if (!series.has_rank(evidence_.number(rank_))) continue;
      for (const std::string& path : series.layers) {
        const int64_t times = sent[layer_index(evidence_, path)];
        if (times == 0 && unknown[series.group]-- > 0) continue;
        tally.check();
        if (times != 1)
          return Finding{
              .step = step, .tensor = path + ".weight", .what = fmt::format("is broadcast {} times in the pass, expected once", times)};
      }
    }
    return std::nullopt;
  }

  const Evidence& evidence_;
  const Execution& execution_;
  size_t rank_;
  const Communication& communication_;
  bool saw_unknown_ = false;
};

// --- memory ---

// SW5: what the rank owns and k + 1 windows, beside everything that is in no series.
struct Resident {
  int64_t others = 0, series = 0, placeholders = 0;
};

Resident resident(const Evidence& evidence, const Census& cold, int64_t rank) {
  Resident total;
  std::set<int64_t> seen;  // a kernel object may hold what is shared
  for (const CensusEntry& entry : cold.entries)
    if (evidence.the_case.in_window(entry.path, rank)) seen.insert(entry.storage);
  for (const CensusEntry& entry : cold.entries) {
    if (evidence.the_case.in_window(entry.path, rank)) {
      const Place place = place_of(evidence, layer_index(evidence, entry.layer));
      total.placeholders += dtype_size(entry.dtype);
      if (owns(evidence, place, rank)) total.series += bytes_of(entry);
      if (place.offset == 0) total.series += (place.series->prefetch + 1) * bytes_of(entry);
    } else if (entry.storage >= 0 && seen.insert(entry.storage).second) {
      total.others += bytes_of(entry);
    }
  }
  return total;
}

// While a pass is under way and after it; what a reload takes for itself is judged where it has ended.
std::optional<Finding> judge_memory(const Evidence& evidence, const Execution& execution, size_t rank, Tally& tally) {
  const Census* cold =
      evidence.the_case.checkpoints.empty() ? nullptr : cold_census(evidence, evidence.the_case.checkpoints.front().first, rank);
  if (!cold) return std::nullopt;
  const Resident meant = resident(evidence, *cold, evidence.number(rank));
  // Where there are several models, the last one has done the step when all have.
  if (execution.variation.index + 1 < evidence.the_case.models) return std::nullopt;
  for (const StepOutcome& outcome : execution.ranks[rank].outcomes) {
    if (outcome.step < 0 || !outcome.status.ok() || reload_left_open(execution, execution.ranks[rank], outcome.step)) continue;
    const StepKind kind = execution.steps[static_cast<size_t>(outcome.step)].kind;
    if (kind == StepKind::sleep) continue;  // what is kept meanwhile lies on the host
    if (kind == StepKind::destroy) {
      tally.check();
      if (outcome.live_bytes == 0) continue;
      return Finding{.step = outcome.step, .what = fmt::format("{} bytes outlive the model", outcome.live_bytes)};
    }
    tally.check();
    const int64_t models = evidence.the_case.models;
    const int64_t exact = models * (meant.others + meant.series), over = outcome.live_bytes - exact;
    if (over >= 0 && over <= models * meant.placeholders) continue;
    return Finding{.step = outcome.step,
                   .what = fmt::format("{} bytes are resident, expected {}: {} of windows and owned layers, {} of everything else, and at "
                                       "most {} of placeholders",
                                       outcome.live_bytes, exact, meant.series, meant.others, meant.placeholders)};
  }
  return std::nullopt;
}

// --- addresses ---

bool keeps_windows(StepKind kind) {
  return kind == StepKind::host_sync || kind == StepKind::drain || kind == StepKind::sleep || kind == StepKind::wake;
}

// Where the layer was read in each of the plain passes that follow one another.
class Addresses {
 public:
  Addresses(const Evidence& evidence, const Execution& execution, size_t rank) : evidence_(evidence), execution_(execution), rank_(rank) {}

  std::optional<Finding> judge(Tally& tally) {
    for (int step = 0; step < static_cast<int>(execution_.steps.size()); ++step) {
      const Step& each = execution_.steps[static_cast<size_t>(step)];
      const StepOutcome* outcome = outcome_of(execution_.ranks[rank_], step);
      const bool plain = each.kind == StepKind::pass && is_plain(each.pass) && outcome && outcome->status.ok();
      if (!plain && !keeps_windows(each.kind)) passes_.clear();
      if (!plain) continue;
      passes_.push_back(of_pass(step));
      if (auto finding = judge_last(step, tally)) return finding;
    }
    return std::nullopt;
  }

 private:
  using Where = std::pair<int64_t, int64_t>;  // storage, offset

  std::map<int, Where> of_pass(int step) const {
    std::map<int, Where> where;
    for (const RankRun::Read& read : execution_.ranks[rank_].reads)
      if (read.step == step && read.slot == "weight") where[read.layer] = {read.storage, read.offset};
    return where;
  }

  int64_t period(const Place& place) const {
    const int64_t windows = place.series->prefetch + 1, count = static_cast<int64_t>(place.series->layers.size());
    const bool fixed = is_static(evidence_) || owns(evidence_, place, evidence_.number(rank_));
    return fixed ? 1 : windows / std::gcd(count, windows);
  }

  std::optional<Finding> judge_last(int step, Tally& tally) const {
    for (const auto& [layer, where] : passes_.back()) {
      const Place place = place_of(evidence_, layer);
      const auto back = static_cast<size_t>(period(place));
      if (passes_.size() <= back) continue;
      const auto& before = passes_[passes_.size() - 1 - back];
      const auto found = before.find(layer);
      tally.check();
      if (found == before.end() || found->second == where) continue;
      return Finding{.step = step,
                     .tensor = evidence_.layers[static_cast<size_t>(layer)] + ".weight",
                     .what = fmt::format("is read in storage {} at offset {}, {} passes earlier it was storage {} at offset {}",
                                         where.first, where.second, back, found->second.first, found->second.second)};
    }
    return std::nullopt;
  }

  const Evidence& evidence_;
  const Execution& execution_;
  size_t rank_;
  std::vector<std::map<int, Where>> passes_;
};

// Passes that deviate nowhere, one after the other: the most there are.
int64_t plain_passes(const Evidence& evidence) {
  int64_t most = 0, now = 0;
  const Execution* warm = warm_of(evidence);
  for (const Step& step : warm ? warm->steps : std::vector<Step>()) {
    now = step.kind == StepKind::pass && is_plain(step.pass) ? now + 1 : 0;
    most = std::max(most, now);
  }
  return most;
}

int64_t shortest_period(const Evidence& evidence) {
  int64_t shortest = 1 << 30;
  for (const SeriesSpec& series : evidence.the_case.series) {
    const int64_t windows = series.prefetch + 1;
    shortest = std::min(shortest, is_static(evidence) ? 1 : windows / std::gcd(static_cast<int64_t>(series.layers.size()), windows));
  }
  return shortest;
}

}  // namespace

Verdict judge_ring_lookahead(const Evidence& evidence) {
  Communications all(evidence);
  // Static binding sends what a window is free for: then it is only judged that everything is sent once.
  static constexpr Subject plain_passes{[](const Step& step) { return step.kind == StepKind::pass && is_plain(step.pass); },
                                        "it judges passes that deviate nowhere, outside of graphs, and the scenario has none"};
  bool unknown = false;
  Verdict verdict = judge_ranks(
      evidence, "ring_lookahead", "no pass sends a layer's weight",
      [&](const Execution& execution, size_t rank, Tally& tally) {
        LookAhead ahead(evidence, execution, rank, all.of(execution));
        auto finding = ahead.judge(tally);
        unknown |= ahead.saw_unknown();
        return finding;
      },
      is_static(evidence) ? plain_passes : passes);
  if (!unknown || verdict.outcome == Outcome::pass || verdict.outcome == Outcome::fail) return verdict;
  return Tally("ring_lookahead").unsupported("whose weight passes send is not known: it lies where no layer's does, or its owner is lost");
}

Verdict judge_ring_memory(const Evidence& evidence) {
  return judge_ranks(evidence, "ring_memory", "no step ended well",
                     [&](const Execution& execution, size_t rank, Tally& tally) { return judge_memory(evidence, execution, rank, tally); });
}

Verdict judge_ring_address(const Evidence& evidence) {
  if (!evidence.the_case.series.empty() && plain_passes(evidence) <= shortest_period(evidence))
    return Tally("ring_address").unsupported("too few passes follow one another for an address to come again");
  return judge_ranks(
      evidence, "ring_address", "no layer was read often enough for its address to come again",
      [&](const Execution& execution, size_t rank, Tally& tally) { return Addresses(evidence, execution, rank).judge(tally); });
}

}  // namespace reloadlab::sim
