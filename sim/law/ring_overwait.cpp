#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/law/laws.h"
#include "sim/law/ring.h"
#include "sim/scenario/visits.h"

namespace reloadlab::sim {
namespace {

constexpr int64_t picoseconds = 1000;  // of a nanosecond

// The recurrence of a ring on FIFO streams: all ranks do the same visits at their own times, and a broadcast starts when each of them has
// come to it and is done with the one before.
//
//   start = max over ranks (time of its reach, end of its communicator's last broadcast);  end = start + Tb
//   reach: P behind it · wait: t = max(t, end of the layer's broadcast) · Q behind that
class Recurrence {
 public:
  Recurrence(const Case& the_case, const std::vector<int64_t>& begins) : case_(the_case), layers_(the_case.shared_layers()), now_(begins) {}

  void pass() {
    for (const Visit& visit : visits(case_, {}, 0)) {
      if (visit.act == Visit::Act::reach) reach(visit);
      if (visit.act == Visit::Act::read) read(visit);
    }
  }
  // Ranks begin again whenever they do.
  void begin(size_t rank, int64_t at) { now_[rank] = std::max(now_[rank], at); }
  int64_t now(size_t rank) const { return now_[rank]; }

 private:
  size_t position(const std::string& layer) const { return static_cast<size_t>(std::ranges::find(layers_, layer) - layers_.begin()); }

  void reach(const Visit& visit) {
    const SeriesSpec& series = case_.series[visit.series];
    const auto count = static_cast<int64_t>(series.layers.size());
    const int64_t target = (series.position_of(visit.layer) + series.prefetch) % count;
    int64_t start = free_[series.group];
    for (const int64_t now : now_) start = std::max(start, now);
    free_[series.group] = arrivals_[series.layers[static_cast<size_t>(target)]] = start + case_.timing->broadcast * picoseconds;
    for (int64_t& now : now_) now += case_.timing->before_of(position(visit.layer)) * picoseconds;
  }
  void read(const Visit& visit) {
    for (size_t rank = 0; rank < now_.size(); ++rank)
      now_[rank] = std::max(now_[rank], arrivals_[visit.layer]) +
                   case_.timing->after_of(position(visit.layer), static_cast<int64_t>(rank)) * picoseconds;
  }

  const Case& case_;
  const std::vector<std::string> layers_;
  std::vector<int64_t> now_;
  std::map<std::string, int64_t> free_, arrivals_;
};

const RankRun::Pace* pace_of(const RankRun& run, int step) {
  const auto found = std::ranges::find(run.paces, step, &RankRun::Pace::step);
  return found == run.paces.end() || found->begin < 0 || found->end < 0 ? nullptr : &*found;
}

std::optional<Finding> judge_pass(const Execution& execution, int step, size_t rank, int64_t meant, Tally& tally) {
  tally.check();
  const RankRun::Pace& pace = *pace_of(execution.ranks[rank], step);
  if (pace.end == meant) return std::nullopt;
  return Finding{
      .rank = static_cast<int>(rank),
      .step = step,
      .what = fmt::format("the pass ends {} ps after it began, expected {} ps: {} by {} ps", pace.end - pace.begin, meant - pace.begin,
                          pace.end > meant ? "something waits for more than it needs," : "something does not wait for what it needs,",
                          std::abs(pace.end - meant))};
}

// Plain passes on all ranks that follow one another, from the first on: what comes between them may wait as it likes.
std::optional<Finding> judge_passes(const Evidence& evidence, const Execution& execution, Tally& tally) {
  std::optional<Recurrence> recurrence;
  for (int step = 0; step < static_cast<int>(execution.steps.size()); ++step) {
    const Step& each = execution.steps[static_cast<size_t>(step)];
    if (each.kind != StepKind::pass || !is_plain(each.pass) || each.pass.stream == Pass::Stream::unjoined) {
      if (recurrence) return std::nullopt;
      continue;
    }
    std::vector<int64_t> begins;
    for (const RankRun& run : execution.ranks) {
      const RankRun::Pace* pace = pace_of(run, step);
      if (!pace) return std::nullopt;
      begins.push_back(pace->begin);
    }
    if (!recurrence) recurrence.emplace(evidence.the_case, begins);
    for (size_t rank = 0; rank < begins.size(); ++rank) recurrence->begin(rank, begins[rank]);
    recurrence->pass();
    for (size_t rank = 0; rank < begins.size(); ++rank)
      if (auto finding = judge_pass(execution, step, rank, recurrence->now(rank), tally)) return finding;
  }
  return std::nullopt;
}

}  // namespace

Verdict judge_ring_overwait(const Evidence& evidence) {
  Tally tally("ring_overwait");
  const Execution* warm = warm_of(evidence);
  if (evidence.the_case.series.empty()) return tally.unsupported("the model has no series");
  if (!evidence.the_case.timing) return tally.unsupported("the scenario does not say what things take");
  const auto declared = evidence.declared.find("binding");
  if (declared != evidence.declared.end() && declared->second == "static")
    return tally.unsupported("the recurrence is that of a rolling binding");
  if (evidence.the_case.models > 1) return tally.unsupported("the recurrence is that of one model");
  if (!warm) return tally.done("the scenario's own execution is missing");
  if (std::ranges::any_of(evidence.the_case.series, [](const SeriesSpec& series) { return !series.ranks.empty(); }))
    return tally.unsupported("the recurrence is that of series on all ranks");
  auto finding = judge_passes(evidence, *warm, tally);
  if (!finding) return concluded(evidence, tally, "no pass that deviates nowhere ended on all ranks");
  finding->execution = warm->variation.label();
  finding->rank = evidence.number(static_cast<size_t>(finding->rank));
  return tally.fail(*std::move(finding));
}

}  // namespace reloadlab::sim
