// Whether passes take what their broadcasts make them take, and no more.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/law/laws.h"
#include "sim/law/recurrence.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

bool is_timed(const Step& step) { return step.kind == StepKind::pass && is_plain(step.pass) && step.pass.stream != Pass::Stream::unjoined; }

// What a step that ended well, and is no timed pass, does to what is known of what is in flight.
enum class Effect { none, anew, anew_primed, drained, reset, lost };

Effect effect_of(const Step& step) {
  switch (step.kind) {
    case StepKind::load:
      return Effect::anew;
    case StepKind::reload:
      return step.via == Via::series ? Effect::anew_primed : Effect::lost;
    case StepKind::drain:
    case StepKind::host_sync:
      return Effect::drained;
    case StepKind::reset:
      return Effect::reset;
    case StepKind::update_owner:
      return Effect::none;
    default:
      return Effect::lost;
  }
}

// Whether it is known of some timed pass what is in flight as it begins, if all goes well.
bool knows_any(const std::vector<Step>& steps) {
  bool known = false;
  for (const Step& step : steps) {
    if (is_timed(step) && known) return true;
    if (is_timed(step)) continue;
    const Effect effect = effect_of(step);
    if (effect == Effect::lost) known = false;
    if (effect == Effect::anew || effect == Effect::anew_primed || effect == Effect::reset) known = true;
  }
  return false;
}

// One execution, step by step, as long as it is known what is in flight: that is so behind a load, a reset and a reload, and not behind a
// pass that deviates or a graph.
class Course {
 public:
  Course(const Evidence& evidence, const Execution& execution)
      : evidence_(evidence),
        execution_(execution),
        binding_(is_static(evidence) ? Recurrence::Binding::fixed : Recurrence::Binding::rolling) {}

  std::optional<Finding> judge(Tally& tally) {
    for (int step = 0; step < static_cast<int>(execution_.steps.size()); ++step) {
      const Step& each = execution_.steps[static_cast<size_t>(step)];
      if (!is_timed(each))
        follow(each, step);
      else if (auto finding = judge_pass(step, tally))
        return finding;
    }
    return std::nullopt;
  }

 private:
  bool every_rank(int step, Code code) const {
    return std::ranges::all_of(execution_.ranks, [&](const RankRun& run) {
      const StepOutcome* outcome = outcome_of(run, step);
      return outcome && outcome->status.code() == code;
    });
  }

  void follow(const Step& each, int step) {
    if (every_rank(step, Code::ok)) return ended_well(each);
    if (!every_rank(step, Code::unsupported)) recurrence_.reset();  // who cannot do it has done nothing
  }

  void ended_well(const Step& each) {
    switch (effect_of(each)) {
      case Effect::none:
        return;
      case Effect::anew:
        return start_anew(false);
      case Effect::anew_primed:
        return start_anew(true);
      case Effect::drained:
        if (primed_unseen_) return start_anew(false);
        if (recurrence_) recurrence_->drain();
        return;
      case Effect::reset:
        if (!recurrence_ || !time_known_ || primed_unseen_) return start_anew(true);  // at a time that only the next pass tells
        recurrence_->drain();
        return recurrence_->prime();
      case Effect::lost:
        return recurrence_.reset();
    }
  }

  // At a time that the next pass tells. `primed`: windows are being filled when it begins.
  void start_anew(bool primed) {
    recurrence_.emplace(evidence_.the_case, binding_);
    primed_unseen_ = primed;
    time_known_ = false;
  }

  const RankRun::Pace* pace_of(size_t rank, int step) const {
    const std::vector<RankRun::Pace>& paces = execution_.ranks[rank].paces;
    const auto found = std::ranges::find(paces, step, &RankRun::Pace::step);
    return found == paces.end() || found->begin < 0 || found->end < 0 ? nullptr : &*found;
  }

  std::optional<Finding> judge_pass(int step, Tally& tally) {
    for (size_t rank = 0; rank < execution_.ranks.size(); ++rank)
      if (!pace_of(rank, step)) recurrence_.reset();
    if (!recurrence_) return std::nullopt;
    if (auto finding = judge_begin(step, tally)) return finding;
    if (std::exchange(primed_unseen_, false)) recurrence_->prime();
    recurrence_->pass();
    for (size_t rank = 0; rank < execution_.ranks.size(); ++rank)
      if (auto finding = judge_end(step, rank, tally)) return finding;
    return std::nullopt;
  }

  // Several models take turns on a stream, and begin when the one before has ended.
  std::optional<Finding> judge_begin(int step, Tally& tally) {
    const bool known = std::exchange(time_known_, true) && evidence_.the_case.models == 1;
    for (size_t rank = 0; rank < execution_.ranks.size(); ++rank) {
      const int64_t begin = pace_of(rank, step)->begin, meant = recurrence_->now(rank);
      recurrence_->begin(rank, begin);
      if (!known) continue;
      tally.check();
      if (begin != meant)
        return Finding{.rank = static_cast<int>(rank),
                       .step = step,
                       .what = fmt::format("the pass begins at {} ps, expected {} ps: what comes before it waits for {}", begin, meant,
                                           begin > meant ? "more than it needs" : "less than it needs")};
    }
    return std::nullopt;
  }

  std::optional<Finding> judge_end(int step, size_t rank, Tally& tally) const {
    tally.check();
    const RankRun::Pace& pace = *pace_of(rank, step);
    const int64_t meant = recurrence_->now(rank);
    if (pace.end == meant) return std::nullopt;
    return Finding{
        .rank = static_cast<int>(rank),
        .step = step,
        .what = fmt::format("the pass ends {} ps after it began, expected {} ps: {} by {} ps", pace.end - pace.begin, meant - pace.begin,
                            pace.end > meant ? "something waits for more than it needs,"
                                             : "something has waited before, or does not wait for what it needs,",
                            std::abs(pace.end - meant))};
  }

  const Evidence& evidence_;
  const Execution& execution_;
  Recurrence::Binding binding_;
  std::optional<Recurrence> recurrence_;  // empty: what is in flight is not known
  bool primed_unseen_ = false;            // windows are being filled since a time that the next pass tells
  bool time_known_ = false;               // where the streams stand is known
};

}  // namespace

Verdict judge_ring_overwait(const Evidence& evidence) {
  Tally tally("ring_overwait");
  const Execution* warm = warm_of(evidence);
  if (evidence.the_case.series.empty()) return tally.unsupported("the model has no series");
  if (!evidence.the_case.timing) return tally.unsupported("the scenario does not say what things take");
  if (!sees_order(evidence)) return tally.unsupported("what things take on this device is nobody's to say");
  if (!warm) return tally.done("the scenario's own execution is missing");
  if (std::ranges::none_of(warm->steps, is_timed))
    return tally.unsupported("the recurrence is that of passes that deviate nowhere, outside of graphs and on streams that are joined");
  if (!knows_any(warm->steps))
    return tally.unsupported(
        "each pass that deviates nowhere comes after a graph or a pass that does, behind which it is not known what is "
        "in flight");
  for (const Execution& execution : evidence.executions) {
    if (execution.variation.kind != Variation::Kind::warm) continue;
    if (auto finding = Course(evidence, execution).judge(tally)) {
      finding->execution = execution.variation.label();
      finding->rank = evidence.number(static_cast<size_t>(finding->rank));
      return tally.fail(*std::move(finding));
    }
  }
  return concluded(evidence, tally, "no pass that deviates nowhere ended on all ranks", {is_timed, ""});
}

}  // namespace reloadlab::sim
